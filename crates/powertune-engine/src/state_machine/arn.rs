//! The ARNs of state machines and executions.

use powertune_core::region::Region;

/// The region in the ARN of a state machine; `None` for any other text.
pub fn machine_region(arn: &str) -> Option<Region> {
    region(arn, "stateMachine")
}

/// The region in the ARN of an execution; `None` for any other text.
pub(super) fn execution_region(arn: &str) -> Option<Region> {
    region(arn, "execution")
}

fn region(arn: &str, resource: &str) -> Option<Region> {
    match *arn.split(':').collect::<Vec<_>>() {
        ["arn", _, "states", region, _, of, name, ..] if of == resource && !name.is_empty() => {
            Region::new(region).ok()
        }
        _ => None,
    }
}

/// The ARN that the execution of this name has.
pub(super) fn execution_arn(state_machine: &str, name: &str) -> String {
    let mut parts: Vec<&str> = state_machine.split(':').take(7).collect();
    if let Some(resource) = parts.get_mut(5) {
        *resource = "execution";
    }
    parts.push(name);
    parts.join(":")
}
