//! The schedule: which of all the things that could happen next does.
use std::collections::{BTreeMap, BTreeSet};

use super::broker::{Broker, Group};
use super::rng::Rng;
use super::truth::Truth;
use super::worker::{Callback, Cx, LIMITS, POLL_MAX, Worker};
use super::{Cover, Held, Mutant, hold};
use crate::core::member::Event;
use crate::core::{Millis, Tp, guard};
use crate::topology::plan::StartFrom;

const WORKERS: usize = 3;
/// A few hundred records in one partition have taken more than 40 000, and a record that kills takes some processes with it.
const CALM_STEPS_MAX: usize = 400_000;

pub struct World<'a> {
    now: Millis,
    rng: Rng,
    broker: Broker,
    workers: Vec<Option<Worker>>,
    /// Seats of processes that died: the coordinator has yet to notice.
    dead_seats: Vec<u32>,
    /// Partitions that this worker lost or abandoned, with something under way perhaps.
    unclean: BTreeSet<(Tp, usize)>,
    cover: &'a mut Cover,
    mutant: Option<Mutant>,
    is_calm: bool,
    is_sink_down: bool,
    has_spoils: bool,
    /// Deaths by each record since it is calm.
    kills: BTreeMap<(Tp, i64), u64>,
}

impl<'a> World<'a> {
    pub fn new(seed: u64, mutant: Option<Mutant>, cover: &'a mut Cover) -> World<'a> {
        let mut rng = Rng::new(seed);
        let broker = Broker {
            truth: Truth::new(rng.next()),
            topics: vec![0; 1 + rng.below(2)],
            start_from: if rng.per_mille(700) {
                StartFrom::Earliest
            } else {
                StartFrom::Latest
            },
            committed: BTreeMap::new(),
            spoiled: BTreeSet::new(),
            group: Group::default(),
            marks: BTreeMap::new(),
            chances: BTreeMap::new(),
        };
        let mut world = World {
            now: Millis(rng.below(100_000) as u64),
            has_spoils: rng.per_mille(250),
            rng,
            broker,
            workers: (0..WORKERS).map(|_| None).collect(),
            dead_seats: Vec::new(),
            unclean: BTreeSet::new(),
            cover,
            mutant,
            is_calm: false,
            is_sink_down: false,
            kills: BTreeMap::new(),
        };
        for topic in 0..world.broker.topics.len() as u16 {
            for _ in 0..1 + world.rng.below(4) {
                let tp = world.broker.create(topic);
                for _ in 0..world.rng.below(20) {
                    let gap = world.rng.below(3) as i64;
                    world.broker.truth.append(tp, gap);
                }
            }
        }
        world
    }

    /// Some steps with faults, then calm until everything is delivered and committed, then a shutdown of all.
    pub fn run(mut self, steps: usize) -> Result<u64, super::Violation> {
        let mut taken = steps as u64;
        for _ in 0..steps {
            self.step()?;
        }
        self.is_calm = true;
        self.is_sink_down = false;
        taken += self.run_until("delivered and committed", Self::is_settled)?;
        for index in 0..WORKERS {
            self.with_worker(index, |worker, cx| match worker.shutdown {
                None => worker.begin_shutdown(cx),
                Some(_) => Ok(()),
            })?;
        }
        taken += self.run_until("shut down", |world| {
            world.workers.iter().all(Option::is_none)
        })?;
        Ok(taken)
    }

    fn run_until(
        &mut self,
        what: &str,
        is_reached: fn(&Self) -> bool,
    ) -> Result<u64, super::Violation> {
        for taken in 0..CALM_STEPS_MAX {
            if taken % 64 == 0 && is_reached(self) {
                return Ok(taken as u64);
            }
            self.step()?;
        }
        hold(false, "I-10", || {
            format!(
                "not {what} after {CALM_STEPS_MAX} calm steps: {}",
                self.describe()
            )
        })?;
        Ok(0)
    }

    fn is_settled(&self) -> bool {
        self.broker
            .truth
            .tps()
            .filter(|tp| !self.broker.spoiled.contains(tp))
            .all(|tp| {
                let committed = self
                    .broker
                    .committed
                    .get(&tp)
                    .map_or(0, |committed| committed.offset);
                self.broker.truth.is_finished(tp) && committed >= self.broker.truth.end(tp)
            })
    }

    fn describe(&self) -> String {
        let mut text = String::new();
        for tp in self.broker.truth.tps() {
            let (committed, end) = (self.broker.committed.get(&tp), self.broker.truth.end(tp));
            text += &format!(
                "\n{tp:?} {committed:?} frontier {} end {end}",
                self.broker.truth.frontier(tp)
            );
        }
        for worker in self.workers.iter().flatten() {
            let standings: Vec<_> = worker.member.standings().collect();
            text += &format!(
                "\nworker {} group {:?} {standings:?} {}",
                worker.id,
                worker.client.group,
                worker.pipeline.describe()
            );
        }
        text
    }

    fn step(&mut self) -> Held {
        let pace = if self.is_calm { 500 } else { 120 };
        self.now = self.now.after(Millis(self.rng.below(pace) as u64));
        if self.rng.per_mille(4) {
            self.now = self.now.after(Millis(self.rng.below(8_000) as u64));
        }
        let index = self.rng.below(WORKERS);
        if self.workers[index].is_none() {
            return self.start(index);
        }
        match self.rng.below(1_000) {
            0..110 => self.with_worker(index, |worker, cx| worker.heartbeat(cx)),
            110..210 => self.with_worker(index, |worker, cx| worker.poll(cx)),
            210..340 => self.with_worker(index, |worker, cx| worker.hear(cx)),
            340..380 => self.with_worker(index, |worker, cx| worker.tell(cx, Event::Tick)),
            380..480 => self.with_worker(index, |worker, cx| worker.pipeline.hear(cx)),
            480..560 => self.with_worker(index, |worker, cx| worker.pipeline.process(cx)),
            560..660 if !self.is_sink_down => {
                self.with_worker(index, |worker, cx| worker.pipeline.producer.sink(cx))
            }
            560..660 => Ok(()),
            660..790 => self.with_worker(index, |worker, cx| worker.completion(cx)),
            790..850 => self.with_worker(index, |worker, cx| worker.pipeline.report_some(cx)),
            850..870 => self.with_worker(index, |worker, cx| {
                worker.read_positions(cx);
                Ok(())
            }),
            870..890 => self.hear_positions(index),
            890..915 if self.is_last_word_on_its_way(index) && self.rng.per_mille(300) => {
                // The group goes on just then, and says so at once.
                self.expel(index);
                self.with_worker(index, |worker, cx| {
                    worker.take_commit(cx)?;
                    while !worker.answers.is_empty() {
                        worker.hear_answer(cx)?;
                    }
                    Ok(())
                })
            }
            890..915 => self.with_worker(index, |worker, cx| worker.take_commit(cx)),
            915..940 => self.with_worker(index, |worker, cx| worker.hear_answer(cx)),
            940..948 => self.with_worker(index, |worker, cx| {
                worker.pipeline.wait(cx);
                Ok(())
            }),
            948..954 => self.notice_the_dead(),
            _ if self.is_calm => Ok(()),
            _ => self.disturb(index),
        }?;
        self.after(index)
    }

    /// New records, and everything that can go wrong.
    fn disturb(&mut self, index: usize) -> Held {
        match self.rng.below(1_000) {
            0..500 => {
                let tps: Vec<Tp> = self.broker.truth.tps().collect();
                let Some(tp) = self.rng.pick(&tps) else {
                    return Ok(());
                };
                for _ in 0..1 + self.rng.below(8) {
                    let gap = if self.rng.per_mille(200) {
                        self.rng.below(4) as i64
                    } else {
                        0
                    };
                    self.broker.truth.append(tp, gap);
                }
                self.cover.hit("log.append");
            }
            500..640 => {
                let tps: Vec<Tp> = self.broker.truth.tps().collect();
                let Some(tp) = self.rng.pick(&tps) else {
                    return Ok(());
                };
                self.broker.truth.append_marker(tp);
                self.cover.hit("log.marker");
            }
            640..650 => {
                let topic = self.rng.below(self.broker.topics.len()) as u16;
                if self.broker.topics[usize::from(topic)] < 6 {
                    self.broker.create(topic);
                    self.broker.group.rebalance();
                    self.cover.hit("log.partition");
                }
            }
            650..710 => {
                self.is_sink_down = !self.is_sink_down;
                self.cover.hit("sink.outage");
            }
            710..830 => return self.with_worker(index, |worker, cx| worker.pipeline.die(cx)),
            830..845 => return self.crash(index),
            845..860 => {
                return self.with_worker(index, |worker, cx| match worker.shutdown {
                    None => worker.begin_shutdown(cx),
                    Some(_) => Ok(()),
                });
            }
            860..885 => self.kick(index),
            885..895 if self.has_spoils => self.spoil(),
            _ => {}
        }
        Ok(())
    }

    fn start(&mut self, index: usize) -> Held {
        // Workers come back when the schedule pleases; when it is calm and nobody shuts down, at once.
        if self.rng.per_mille(if self.is_calm { 1_000 } else { 250 }) && !self.is_leaving() {
            self.workers[index] = Some(Worker::new(index));
        }
        self.notice_the_dead()
    }

    /// The shutdown of all has begun.
    fn is_leaving(&self) -> bool {
        self.is_calm && self.is_settled()
    }

    fn with_worker(
        &mut self,
        index: usize,
        step: impl FnOnce(&mut Worker, &mut Cx) -> Held,
    ) -> Held {
        let Some(worker) = &mut self.workers[index] else {
            return Ok(());
        };
        let mut cx = Cx {
            now: self.now,
            rng: &mut self.rng,
            broker: &mut self.broker,
            cover: self.cover,
            mutant: self.mutant,
            is_calm: self.is_calm,
        };
        step(worker, &mut cx)
    }

    fn after(&mut self, index: usize) -> Held {
        let Some(worker) = &mut self.workers[index] else {
            return Ok(());
        };
        if let Some((tp, offset)) = worker.pipeline.victim {
            return self.killed(index, tp, offset);
        }
        worker.check_balance()?;
        let abandoned = std::mem::take(&mut worker.abandoned);
        self.unclean
            .extend(abandoned.into_iter().map(|tp| (tp, index)));
        if worker.done.is_some() {
            self.with_worker(index, |worker, cx| {
                worker.check_done(cx)?;
                worker.pipeline.producer.crash(cx)
            })?;
            if let Some(seat) = self.workers[index]
                .take()
                .and_then(|worker| worker.client.seat)
            {
                self.leave(seat);
            }
        }
        Ok(())
    }

    /// Invariant I-9, whenever partitions may have been assigned.
    fn hear_positions(&mut self, index: usize) -> Held {
        self.with_worker(index, |worker, cx| worker.hear_positions(cx))?;
        // One that was expelled, and has not noticed, is itself the former owner.
        let is_member = |owner: &&Worker| {
            let seat = owner.client.seat;
            seat.is_some_and(|seat| self.broker.group.seats.contains_key(&seat))
        };
        let Some(owner) = self.workers[index].as_ref().filter(is_member) else {
            return Ok(());
        };
        let tps: Vec<Tp> = owner.client.assigned.keys().copied().collect();
        for (tp, other) in tps
            .iter()
            .flat_map(|tp| (0..WORKERS).map(|other| (*tp, other)))
        {
            let Some(former) = self.workers[other].as_ref().filter(|_| other != index) else {
                continue;
            };
            let can_arrive = former.pipeline.producer.has_queued(tp);
            let is_clean = !self.unclean.contains(&(tp, other));
            hold(!can_arrive || !is_clean, "I-9", || {
                format!("{tp:?} belongs to worker {index}, worker {other} still sends")
            })?;
            self.cover.hit(if can_arrive {
                "handover.unclean"
            } else {
                "handover.clean"
            });
            if !can_arrive && !former.may_send(tp) {
                self.unclean.remove(&(tp, other));
            }
        }
        Ok(())
    }

    fn crash(&mut self, index: usize) -> Held {
        self.cover.hit("crash");
        self.with_worker(index, |worker, cx| worker.pipeline.producer.crash(cx))?;
        if let Some(worker) = self.workers[index].take() {
            self.dead_seats.extend(worker.client.seat);
        }
        Ok(())
    }

    /// The process died of a record: invariant I-14.
    fn killed(&mut self, index: usize, tp: Tp, offset: i64) -> Held {
        let worker = self.workers[index].as_ref();
        let seat = worker.and_then(|worker| worker.client.seat);
        // A lane that was abandoned leaves its mark behind: it dies with this process by chance.
        let left: Vec<Tp> = self.broker.marks.keys().copied().collect();
        for tp in left {
            if worker.is_some_and(|worker| !worker.pipeline.has_lane(tp))
                && seat.is_some_and(|seat| self.broker.given_up(seat, tp))
            {
                self.cover.hit("guard.chance");
            }
        }
        let marked = self
            .broker
            .marks
            .iter()
            .find(|(at, (marked, by))| Some(*by) == seat && (**at, *marked) != (tp, offset));
        hold(marked.is_none(), "I-14", || {
            format!("{tp:?}: {offset} killed worker {index} while {marked:?} bore the mark")
        })?;
        self.cover.hit("guard.kill");
        self.broker.marks.remove(&tp);
        if self.is_calm {
            let kills = self.kills.entry((tp, offset)).or_default();
            *kills += 1;
            if *kills > 1 {
                self.cover.hit("guard.second_death");
            }
            // At worst every record before it moves the position once, between the deaths of a count.
            let before = LIMITS.partition.records + POLL_MAX;
            let kills_max =
                u64::from(guard::DEATHS_MAX) * (before + 1) + u64::from(guard::TRIES_MAX);
            hold(*kills <= kills_max, "I-14", || {
                format!("{tp:?}: {offset} has killed {kills} times since it is calm")
            })?;
        }
        self.crash(index)
    }

    fn notice_the_dead(&mut self) -> Held {
        if let Some(seat) = self.dead_seats.pop() {
            self.leave(seat);
        }
        Ok(())
    }

    /// The session of a living worker times out: it goes on until its next heartbeat tells it.
    fn kick(&mut self, index: usize) {
        // Half of them while something drains, where there is more to go wrong.
        let is_draining = |worker: &Option<Worker>| {
            let callback = worker
                .as_ref()
                .and_then(|worker| worker.client.callback.as_ref());
            matches!(callback, Some(Callback::Revoke(_)))
        };
        let draining = self.workers.iter().position(is_draining);
        let index = draining
            .filter(|_| self.rng.per_mille(500))
            .unwrap_or(index);
        self.expel(index);
    }

    /// Whether this worker gives partitions back and has commits on the way, while there are faults.
    fn is_last_word_on_its_way(&self, index: usize) -> bool {
        let is_it = |worker: &Worker| {
            let is_giving_back = matches!(worker.client.callback, Some(Callback::Revoke(_)));
            is_giving_back && !worker.commits.is_empty()
        };
        !self.is_calm && self.workers[index].as_ref().is_some_and(is_it)
    }

    fn expel(&mut self, index: usize) {
        let Some(worker) = &self.workers[index] else {
            return;
        };
        let Some(seat) = worker
            .client
            .seat
            .filter(|seat| self.broker.group.seats.contains_key(seat))
        else {
            return;
        };
        self.cover.hit("group.kick");
        let group = worker.client.group.iter();
        self.unclean.extend(group.map(|tp| (*tp, index)));
        self.leave(seat);
    }

    fn leave(&mut self, seat: u32) {
        self.broker.group.leave(seat);
        let tps: Vec<Tp> = self.broker.truth.tps().collect();
        for tp in &tps {
            if self.broker.given_up(seat, *tp) {
                self.cover.hit("guard.chance");
            }
        }
        self.broker.group.deal(&tps);
    }

    /// A position expires, or retention overtakes it.
    fn spoil(&mut self) {
        let committed: Vec<Tp> = self.broker.committed.keys().copied().collect();
        let Some(tp) = self.rng.pick(&committed) else {
            return;
        };
        let position = self.broker.committed[&tp];
        let is_last = committed
            .iter()
            .filter(|other| other.topic == tp.topic)
            .count()
            == 1;
        let (low, high) = self.broker.truth.watermarks(tp);
        if self.rng.per_mille(500) && !is_last {
            self.broker.committed.remove(&tp);
        } else if position.offset < high {
            self.broker.truth.truncate(tp, low.max(position.offset + 1));
        } else {
            return;
        }
        self.cover.hit("log.spoil");
        self.broker.spoiled.insert(tp);
    }
}
