//! The consumer client of a worker and its life in the group: the coordinator's news, and what was made of them.
use std::collections::{BTreeMap, BTreeSet};

use super::{Cx, Worker};
use crate::core::Tp;
use crate::core::member::Event;
use crate::core::sim::{Held, hold};

/// The consumer client: what librdkafka knows.
#[derive(Default)]
pub struct Client {
    pub seat: Option<u32>,
    pub generation: u32,
    /// What the group gave us.
    pub group: BTreeSet<Tp>,
    /// What is being fetched, with the position of the next fetch.
    pub assigned: BTreeMap<Tp, i64>,
    /// Stays across assignments, as in librdkafka.
    pub paused: BTreeSet<Tp>,
    pub callback: Option<Callback>,
    /// To be given after the unassign of a rebalance.
    pub added: Option<BTreeSet<Tp>>,
    pub wants_join: bool,
}

/// A rebalance that the application has not answered.
#[derive(Clone, PartialEq, Eq)]
pub enum Callback {
    Assign,
    Revoke(BTreeSet<Tp>),
}

impl Worker {
    pub(super) fn unassign_called(&mut self, cx: &mut Cx, list: &[Tp]) -> Held {
        let Some(Callback::Revoke(revoked)) = &self.client.callback else {
            return Ok(());
        };
        let is_answer = list.iter().copied().collect::<BTreeSet<Tp>>() == *revoked;
        hold(is_answer, "I-5", || {
            format!("{revoked:?} were revoked, {list:?} are unassigned")
        })?;
        cx.cover.hit("rebalance.unassigned");
        for tp in list {
            let seat = self.client.seat.unwrap_or(0);
            if cx.broker.given_up(seat, *tp) {
                cx.cover.hit("guard.chance");
            }
        }
        self.client.group.retain(|tp| !revoked.contains(tp));
        self.client.callback = None;
        Ok(())
    }

    /// Heartbeat: the coordinator's news, one at a time.
    pub fn heartbeat(&mut self, cx: &mut Cx) -> Held {
        let Some(seat) = self.client.seat else {
            if self.shutdown.is_none() && self.client.callback.is_none() {
                cx.cover.hit("group.join_new");
                self.client.seat = Some(cx.broker.group.take_seat());
                self.client.wants_join = true;
            }
            return Ok(());
        };
        let is_lost = !cx.broker.group.seats.contains_key(&seat);
        if self.client.callback.is_some() {
            // It tells of nothing before it is answered, of a loss neither.
            if is_lost {
                cx.cover.hit("rebalance.lost_while_draining");
            }
            return Ok(());
        }
        if is_lost {
            return self.lose(cx);
        }
        if let Some(added) = self.client.added.take() {
            return self.give(cx, added);
        }
        if let Some(assigned) = cx
            .broker
            .group
            .seats
            .get_mut(&seat)
            .and_then(|seat| seat.assigned.take())
        {
            self.client.generation = cx.broker.group.generation;
            let revoked: BTreeSet<Tp> = self.client.group.difference(&assigned).copied().collect();
            let added: BTreeSet<Tp> = assigned.difference(&self.client.group).copied().collect();
            if revoked.is_empty() {
                return self.give(cx, added);
            }
            cx.cover.hit("rebalance.revoke");
            self.client.added = Some(added);
            self.client.wants_join = true;
            self.client.callback = Some(Callback::Revoke(revoked.clone()));
            return self.tell(cx, Event::Revoked(revoked.into_iter().collect()));
        }
        if self.client.wants_join || cx.broker.group.wants_join(seat) {
            self.client.wants_join = false;
            cx.broker.group.join(seat, &self.client.group);
            let tps: Vec<Tp> = cx.broker.truth.tps().collect();
            cx.broker.group.deal(&tps);
        }
        Ok(())
    }

    fn give(&mut self, cx: &mut Cx, added: BTreeSet<Tp>) -> Held {
        cx.cover.hit(if self.shutdown.is_some() {
            "rebalance.assign_at_shutdown"
        } else {
            "rebalance.assign"
        });
        self.client.group.extend(added.iter().copied());
        self.client.callback = Some(Callback::Assign);
        self.tell(cx, Event::Assigned(added.into_iter().collect()))?;
        let is_answered = self.client.callback.is_none();
        hold(is_answered, "I-10", || {
            "an assign holds up the group".to_owned()
        })
    }

    /// The coordinator took our seat away: everything is lost.
    fn lose(&mut self, cx: &mut Cx) -> Held {
        cx.cover.hit("rebalance.lost");
        self.client.seat = None;
        self.client.added = None;
        self.client.wants_join = false;
        let lost = std::mem::take(&mut self.client.group);
        self.tell(cx, Event::Lost(lost.into_iter().collect()))?;
        let left = self.client.assigned.len();
        hold(left == 0, "I-5", || {
            format!("{left} partitions are still assigned after all were lost")
        })
    }
}
