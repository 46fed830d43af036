//! Where deliveries go. Today Kafka topics and, beside them, dead letter topics.
//!
//! Every sink answers for each delivery by its [`DeliveryId`](crate::core::DeliveryId): an answer is a fact about the far side
//! (a delivery report with `acks=all`), never about our own queue.

pub mod dead_letter;
pub mod kafka;
