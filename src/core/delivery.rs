//! The name of one delivery, small enough to travel through a producer as its opaque and to come back with the report.

/// Number of a record in its lane: dense, in the order taken, never reused within a [`Tracker`](super::Tracker).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

/// Deliveries of one record at most: a topology whose routes can all match has no more.
pub const DELIVERIES_MAX: u8 = 1 << DELIVERY_BITS;

/// Records in one lane at most. Far above every limit of [`Flow`](super::Flow).
pub const RECORDS_MAX: usize = 1 << SEQ_BITS;

const DELIVERY_BITS: u32 = 6;
const SEQ_BITS: u32 = 26;
const TAG_BITS: u32 = 16;

/// One delivery of one attempt of one record: lane (16 bits), attempt tag (16), sequence number (26), delivery (6).
///
/// The tag changes at every rewind and at every new tenant of the lane's index, so a report of an earlier attempt or
/// epoch names nothing that exists. Only the low 26 bits of the sequence number travel: a lane holds fewer records
/// than that, so they name exactly one of them. Never 0, so that it can be told from an opaque that was not set.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(u64);

impl DeliveryId {
    /// Packs the name of delivery `delivery` of record `seq`.
    pub fn new(lane: u16, tag: u16, seq: Seq, delivery: u8) -> DeliveryId {
        debug_assert!(delivery < DELIVERIES_MAX, "delivery {delivery} of a record");
        let low = seq.0 & (RECORDS_MAX as u64 - 1);
        DeliveryId(
            u64::from(lane) << (TAG_BITS + SEQ_BITS + DELIVERY_BITS)
                | u64::from(tag) << (SEQ_BITS + DELIVERY_BITS)
                | low << DELIVERY_BITS
                | u64::from(delivery & (DELIVERIES_MAX - 1)),
        )
    }

    /// The 64 bits, for a producer's opaque.
    pub fn pack(self) -> u64 {
        self.0
    }

    /// From the 64 bits of [`pack`](Self::pack). Any bits are accepted; those that name nothing are stale.
    pub fn unpack(bits: u64) -> DeliveryId {
        DeliveryId(bits)
    }

    /// Index of the lane in its [`Lanes`](super::Lanes).
    pub fn lane(self) -> u16 {
        (self.0 >> (TAG_BITS + SEQ_BITS + DELIVERY_BITS)) as u16
    }

    /// Attempt tag of the lane when the delivery was sent.
    pub fn tag(self) -> u16 {
        (self.0 >> (SEQ_BITS + DELIVERY_BITS)) as u16
    }

    /// Which delivery of the record, from 0.
    pub fn delivery(self) -> u8 {
        (self.0 & u64::from(DELIVERIES_MAX - 1)) as u8
    }

    /// The sequence number, given the lowest one that the lane may still hold.
    pub(super) fn seq_from(self, base: Seq) -> Seq {
        let low = self.0 >> DELIVERY_BITS;
        let ahead = low.wrapping_sub(base.0) & (RECORDS_MAX as u64 - 1);
        Seq(base.0.wrapping_add(ahead))
    }
}

impl std::fmt::Debug for DeliveryId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seq = self.seq_from(Seq(0)).0;
        write!(
            f,
            "DeliveryId(lane {} tag {} seq ..{seq} delivery {})",
            self.lane(),
            self.tag(),
            self.delivery()
        )
    }
}

/// The tag after `tag`; 0 is left out.
pub(super) fn tag_after(tag: u16) -> u16 {
    tag.wrapping_add(1).max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_packed_comes_back(
            lane: u16, tag: u16, base: u64, ahead in 0..RECORDS_MAX as u64, delivery in 0..DELIVERIES_MAX,
        ) {
            let base = base >> 1;
            let id = DeliveryId::unpack(DeliveryId::new(lane, tag, Seq(base + ahead), delivery).pack());
            prop_assert_eq!((id.lane(), id.tag(), id.delivery()), (lane, tag, delivery));
            prop_assert_eq!(id.seq_from(Seq(base)), Seq(base + ahead));
        }

        #[test]
        fn any_bits_are_a_name_within_the_window(bits: u64, base: u64) {
            let base = base >> 1;
            let Seq(seq) = DeliveryId::unpack(bits).seq_from(Seq(base));
            prop_assert!((base..base + RECORDS_MAX as u64).contains(&seq));
        }
    }

    #[test]
    fn a_sequence_number_survives_its_wrap_around() {
        let wrap = RECORDS_MAX as u64;
        for (base, seq) in [
            (wrap - 1, wrap),
            (wrap - 1, 2 * wrap - 2),
            (3 * wrap, 3 * wrap),
            (5 * wrap - 1, 5 * wrap),
        ] {
            assert_eq!(
                DeliveryId::new(1, 1, Seq(seq), 0).seq_from(Seq(base)),
                Seq(seq)
            );
        }
    }

    #[test]
    fn tags_go_round_through_all_values_but_0() {
        let mut tag = 1;
        for _ in 1..u16::MAX {
            let next = tag_after(tag);
            assert!(next != tag && next != 0);
            tag = next;
        }
        assert_eq!((tag, tag_after(tag)), (u16::MAX, 1));
        assert_ne!(
            DeliveryId::new(0, tag_after(tag), Seq(0), 0).pack(),
            0,
            "an opaque that was not set is null"
        );
    }
}
