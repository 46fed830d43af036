//! A Kafka cluster as far as a consumer group sees it: partitions, committed positions, a coordinator that speaks the
//! cooperative protocol.
use std::collections::{BTreeMap, BTreeSet};

use super::truth::{Truth, Verdict};
use super::{Held, hold};
use crate::core::member::CommitEntry;
use crate::core::start::{self, Committed, TopicView, Watermarks};
use crate::core::{Tp, guard};
use crate::topology::plan::StartFrom;

pub struct Broker {
    pub truth: Truth,
    /// Partitions of each topic.
    pub topics: Vec<i32>,
    pub start_from: StartFrom,
    pub committed: BTreeMap<Tp, Committed>,
    /// Positions that somebody deleted or that retention overtook: such a partition may stop.
    pub spoiled: BTreeSet<Tp>,
    pub group: Group,
    /// Marks of records that are tried: the partition, the record, and the member that set it.
    pub marks: BTreeMap<Tp, (i64, u32)>,
    /// How often a member ended by chance while its mark stood at this record.
    pub chances: BTreeMap<(Tp, i64), u32>,
}

#[derive(Default)]
pub struct Group {
    pub generation: u32,
    pub seats: BTreeMap<u32, Seat>,
    is_rebalancing: bool,
    /// A round is complete and its partitions were not dealt out yet.
    is_deal_due: bool,
    next_id: u32,
}

#[derive(Default)]
pub struct Seat {
    owned: BTreeSet<Tp>,
    has_joined: bool,
    /// The result of the last round, until the member fetched it.
    pub assigned: Option<BTreeSet<Tp>>,
}

impl Broker {
    pub fn create(&mut self, topic: u16) -> Tp {
        let partition = self.topics[usize::from(topic)];
        self.topics[usize::from(topic)] += 1;
        let tp = Tp { topic, partition };
        self.truth.create(tp);
        tp
    }

    /// What a member reads when it asks for the positions of a topic.
    pub fn view(&self, topic: u16) -> (Vec<Option<Committed>>, Vec<Option<Watermarks>>) {
        (0..self.topics[usize::from(topic)])
            .map(|partition| {
                let tp = Tp { topic, partition };
                let (low, high) = self.truth.watermarks(tp);
                (
                    self.committed.get(&tp).copied(),
                    Some(Watermarks { low, high }),
                )
            })
            .unzip()
    }

    pub fn topic_view<'a>(
        &self,
        (committed, watermarks): &'a (Vec<Option<Committed>>, Vec<Option<Watermarks>>),
    ) -> TopicView<'a> {
        TopicView {
            committed,
            watermarks,
            start_from: self.start_from,
        }
    }

    /// Applies a commit, all of it or nothing. Fenced by the generation that the member had when it sent it.
    pub fn commit(
        &mut self,
        member: u32,
        generation: u32,
        entries: &[CommitEntry],
        is_initial: bool,
    ) -> Result<bool, super::Violation> {
        if generation != self.group.generation || !self.group.seats.contains_key(&member) {
            return Ok(false);
        }
        for CommitEntry { tp, offset, .. } in entries.iter().filter(|_| is_initial) {
            let has_positions = self.committed.keys().any(|known| known.topic == tp.topic);
            hold(!has_positions, "I-5", || {
                format!("{tp:?}: initial positions over positions of the group")
            })?;
            self.truth.begin_at(*tp, *offset);
        }
        for CommitEntry {
            tp,
            offset,
            partitions,
            note,
        } in entries
        {
            self.safe(*tp, *offset)?;
            match note.trying {
                Some(trying) => drop(self.marks.insert(*tp, (trying, member))),
                None => drop(self.marks.remove(tp)),
            }
            // As it travels.
            let metadata = start::metadata(*partitions, *note);
            self.committed
                .insert(*tp, Committed::new(*offset, &metadata));
        }
        Ok(true)
    }

    /// This member has no word in `tp` any more. Returns whether its mark was left there.
    pub fn given_up(&mut self, member: u32, tp: Tp) -> bool {
        let Some((offset, _)) = self.marks.get(&tp).filter(|(_, by)| *by == member) else {
            return false;
        };
        *self.chances.entry((tp, *offset)).or_default() += 1;
        self.marks.remove(&tp);
        true
    }

    /// Invariant I-14 for a record that is left out.
    pub fn may_be_left_out(&mut self, tp: Tp, offset: i64) -> Held {
        let chances = self.chances.get(&(tp, offset)).copied().unwrap_or(0);
        let is_guilty = self.truth.verdict(tp, offset) == Verdict::Kills;
        hold(is_guilty || chances >= guard::TRIES_MAX, "I-14", || {
            format!(
                "{tp:?}: {offset} is left out, which does nothing; ended by chance {chances} times"
            )
        })?;
        if !is_guilty {
            self.truth.has_bad_luck(tp, offset);
        }
        Ok(())
    }

    /// Invariant I-1 for one committed position.
    pub fn safe(&self, tp: Tp, offset: i64) -> Held {
        let frontier = self.truth.frontier(tp);
        hold(offset <= frontier, "I-1", || {
            format!("{tp:?}: commits {offset}, the first unfinished record is {frontier}")
        })
    }
}

impl Group {
    pub fn take_seat(&mut self) -> u32 {
        self.next_id += 1;
        self.seats.insert(self.next_id, Seat::default());
        self.rebalance();
        self.next_id
    }

    pub fn leave(&mut self, member: u32) {
        self.seats.remove(&member);
        self.rebalance();
        self.complete();
    }

    pub fn rebalance(&mut self) {
        if !self.is_rebalancing {
            self.is_rebalancing = true;
            self.seats
                .values_mut()
                .for_each(|seat| seat.has_joined = false);
        }
    }

    pub fn wants_join(&self, member: u32) -> bool {
        self.is_rebalancing && self.seats.get(&member).is_some_and(|seat| !seat.has_joined)
    }

    pub fn join(&mut self, member: u32, owned: &BTreeSet<Tp>) {
        self.rebalance();
        let seat = self
            .seats
            .get_mut(&member)
            .expect("a member joins with a seat");
        seat.owned = owned.clone();
        seat.has_joined = true;
        self.complete();
    }

    fn complete(&mut self) {
        if self.is_rebalancing && self.seats.values().all(|seat| seat.has_joined) {
            self.is_rebalancing = false;
            self.generation += 1;
            self.is_deal_due = true;
        }
    }

    /// If a round is complete, deals the partitions out, sticky and cooperative: what somebody still owns is not given
    /// to another.
    pub fn deal(&mut self, tps: &[Tp]) {
        if !std::mem::take(&mut self.is_deal_due) {
            return;
        }
        let quota = tps.len().div_ceil(self.seats.len().max(1));
        let mut dealt: BTreeMap<u32, BTreeSet<Tp>> =
            self.seats.keys().map(|id| (*id, BTreeSet::new())).collect();
        let mut free = Vec::new();
        for tp in tps {
            match self.seats.iter().find(|(_, seat)| seat.owned.contains(tp)) {
                Some((id, _)) if dealt[id].len() < quota => {
                    dealt.entry(*id).or_default().extend([*tp])
                }
                Some(_) => {}
                None => free.push(*tp),
            }
        }
        for tp in free {
            if let Some(set) = dealt.values_mut().min_by_key(|set| set.len()) {
                set.insert(tp);
            }
        }
        for (id, set) in dealt {
            if let Some(seat) = self.seats.get_mut(&id) {
                seat.assigned = Some(set);
            }
        }
    }
}
