//! What expressions see of a source before the first step.

use super::Compiler;
use crate::codec::placeholder;
use crate::expr::{self, BeforeColumns, Env, EventEnv, KeyEnv};
use crate::schema::Schema;
use crate::topology::plan::{Envelope, KeyFormat, ReplicaIdentity, SourcePlan, Unavailable};

impl Compiler<'_> {
    /// The scopes of the steps and routes for one source.
    pub(super) fn env(&self, plan: &SourcePlan) -> Env {
        let reader = plan.value.schema.clone();
        let key = match &plan.key {
            KeyFormat::Avro(key) => Some(key.schema.clone()),
            KeyFormat::Text | KeyFormat::Bytes => None,
        };
        let before = match (plan.replica_identity, &key) {
            (ReplicaIdentity::Full, _) => BeforeColumns::All,
            (ReplicaIdentity::Default, Some(key)) => {
                let columns = key.fields(key.root).iter();
                BeforeColumns::Only(columns.map(|field| field.name.to_string()).collect())
            }
            _ => BeforeColumns::Only(Vec::new()),
        };
        let left_out = match plan.unavailable {
            Unavailable::Optional => left_out(&reader, plan.envelope, key.as_deref()),
            _ => Vec::new(),
        };
        Env {
            event: Some(EventEnv {
                schema: reader,
                envelope: match plan.envelope {
                    Envelope::Debezium => expr::Envelope::Debezium,
                    Envelope::None => expr::Envelope::None,
                },
                before,
                left_out,
            }),
            key: match (key, &plan.key) {
                (Some(schema), _) => KeyEnv::Avro {
                    schema,
                    nullable: false,
                },
                (None, KeyFormat::Text) => KeyEnv::String,
                (None, _) => KeyEnv::Bytes,
            },
            probes: self.probes.clone(),
            ..self.without_event()
        }
    }

    /// The scopes where nothing is known of events: variables, tables and secrets.
    pub(super) fn without_event(&self) -> Env {
        Env {
            vars: self.vars.consts.clone(),
            given: self.vars.given.clone(),
            ..Env::default()
        }
    }
}

/// The columns that Debezium may leave out of an update, as far as they are no part of the key: a key is always sent.
fn left_out(reader: &Schema, envelope: Envelope, key: Option<&Schema>) -> Vec<String> {
    let row = match envelope {
        Envelope::Debezium => reader
            .field(reader.root, "after")
            .map(|(_, field)| field.ty),
        Envelope::None => Some(reader.root),
    };
    let fields = row.map_or(&[][..], |row| reader.fields(reader.strip_null(row).0));
    let is_key = |name: &str| key.is_some_and(|key| key.field(key.root, name).is_some());
    fields
        .iter()
        .filter(|field| placeholder::of_column(reader, field.ty).any() && !is_key(&field.name))
        .map(|field| field.name.to_string())
        .collect()
}
