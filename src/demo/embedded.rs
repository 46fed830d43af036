//! The shipped topologies and schemas, carried in the program.

use std::sync::Arc;

use crate::topology::fault::Source;
use crate::topology::files::Schemas;
use crate::topology::plan::Plan;
use crate::topology::{Faults, Vars, compile_all};

use super::shop::Table;

macro_rules! shipped {
    ($folder:literal, $end:literal, [$($name:literal),* $(,)?]) => {
        [$(($name, include_str!(concat!("../../", $folder, "/", $name, $end)))),*]
    };
}

const TOPOLOGIES: [(&str, &str); 2] = shipped!("topologies", ".yaml", ["customers", "orders"]);

const SCHEMAS: [(&str, &str); 7] = shipped!(
    "avro",
    ".avsc",
    [
        "customers.clean-value",
        "orders.big-value",
        "orders.clean-value",
        "shop.public.customers-key",
        "shop.public.customers-value",
        "shop.public.orders-key",
        "shop.public.orders-value",
    ]
);

/// The plans of the shipped topologies.
pub fn plans() -> Result<Vec<Arc<Plan>>, Faults> {
    let sources = TOPOLOGIES
        .map(|(name, text)| Arc::new(Source::new(format!("topologies/{name}.yaml"), text)));
    let mut faults = Faults::default();
    let plans = compile_all(
        &sources,
        &mut Schemas::embedded(SCHEMAS),
        &Vars::new(),
        &mut faults,
    );
    if faults.is_ok() {
        Ok(plans)
    } else {
        Err(faults)
    }
}

/// The text of the schema of a table's keys and of its values, as Debezium registers them.
pub fn source_schemas(table: Table) -> [(String, &'static str); 2] {
    ["key", "value"].map(|side| {
        let subject = format!("{}-{side}", table.topic());
        let text = SCHEMAS.into_iter().find(|(name, _)| *name == subject);
        let (_, text) = text.expect("the schemas of both tables are shipped");
        (subject, text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_topologies_compile_without_any_file() {
        let plans = plans()
            .map_err(|faults| faults.render(false))
            .expect("no faults");
        let ids: Vec<_> = plans.iter().map(|plan| plan.id.as_str()).collect();
        assert_eq!(ids, ["customers", "orders"]);
    }
}
