//! The registry ids of the schemas that outputs are written with: looked up and compared at the start, registered only if told so.

use std::sync::Arc;
use std::time::Duration;

use super::worker::Shared;
use crate::core::{Backoff, Millis};
use crate::registry::{Client, OutputFault};
use crate::telemetry::{TopologyState, TopologyStatus};
use crate::topology::plan::{OutputSchema, Plan};

/// How often a wait looks whether it should end.
const STEP: Duration = Duration::from_millis(50);

/// The ids, in the order of the plan's schemas. `None` if the wait was ended. Registry trouble and schemas that are not registered are waited
/// out, with the state visible: nothing is polled before every output can be written.
pub(super) fn output_ids(
    plan: &Arc<Plan>,
    shared: &Shared,
    status: &TopologyStatus,
    is_ended: &dyn Fn() -> bool,
) -> anyhow::Result<Option<Vec<u32>>> {
    let client = Client::new(&shared.config.registry)?;
    let mut ids = Vec::with_capacity(plan.schemas.len());
    for output in &plan.schemas {
        if !output.is_framed {
            ids.push(OutputSchema::NO_ID);
            continue;
        }
        let mut backoff = Backoff::new(Millis(200), Millis(10_000));
        loop {
            let answer = shared
                .runtime
                .block_on(client.output_id(&output.subject, &output.schema));
            let why = match answer {
                Ok(id) => {
                    ids.push(id);
                    break;
                }
                Err(OutputFault::Outage(why)) => format!(
                    "the registry cannot be asked for subject {}: {why}",
                    output.subject
                ),
                Err(fault @ OutputFault::Missing(_)) => fault.to_string(),
                Err(fault @ OutputFault::Refused(_)) => return Err(fault.into()),
            };
            let wait = backoff.fail(rand::random()).0.max(100);
            // A wait may be long: it is told less and less often, while the state says why all the time.
            if backoff.attempts().is_power_of_two() {
                tracing::warn!(
                    topology = plan.id,
                    subject = output.subject,
                    why,
                    "waiting for an output schema"
                );
            }
            status.set_state(TopologyState::Waiting(why));
            let mut left = Duration::from_millis(wait);
            while !left.is_zero() {
                if is_ended() {
                    return Ok(None);
                }
                let step = left.min(STEP);
                std::thread::sleep(step);
                left -= step;
            }
        }
    }
    Ok(Some(ids))
}
