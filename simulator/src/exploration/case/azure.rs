//! What a seed draws of what goes wrong in Azure.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Draw, SUBSCRIPTION};
use crate::exploration::happening::{AzureChange, Happening};

/// More virtual CPUs than all clusters of a seed could use.
const PLENTY: u32 = 10_000;

impl Draw {
    /// Upgrades that fail, and from when on the budgets allow what blocked one.
    pub(super) fn faults(&mut self, pools: &[String]) -> (Vec<Value>, Option<Timestamp>) {
        let mut faults = Vec::new();
        let mut budgets_allow_from: Option<Timestamp> = None;
        for _ in 0..self.dice.usize(0..=3) {
            let pool = self.one_of(pools).clone();
            let mut fault = json!({"upgrade": self.dice.u32(1..=3), "afterNodes": self.dice.u32(0..=2)});
            let kind = self.dice.usize(0..8);
            if kind != 3 {
                fault["pool"] = pool.into();
            }
            match kind {
                0 => {
                    fault["blockedBy"] =
                        json!([{"namespace": "shop", "pod": "checkout-1", "budget": "checkout"}]);
                    let from = self.when();
                    budgets_allow_from = Some(budgets_allow_from.map_or(from, |known| known.max(from)));
                    self.drawn.insert("a drain that is blocked");
                }
                1 => {
                    fault["error"] =
                        json!({"code": "OverconstrainedAllocationRequest", "message": "Allocation failed."});
                    self.drawn.insert("no capacity");
                }
                2 | 3 => {
                    let code = if kind == 2 { "UpgradeFailed" } else { "InternalServerError" };
                    fault["error"] = json!({"code": code, "subcode": "VMExtensionProvisioningError",
                        "message": "A node did not come up."});
                    self.drawn.insert("an upgrade that fails");
                }
                _ => {
                    let (name, refusal) = refusal(kind);
                    fault["refuse"] = refusal;
                    self.drawn.insert(name);
                }
            }
            faults.push(fault);
        }
        (faults, budgets_allow_from)
    }

    /// A quota without room for a single surge node, until somebody has it raised.
    pub(super) fn quotas(&mut self, clusters: &[Value]) -> Value {
        if !self.is_drawn("a quota that is used up", 0.12) {
            return json!([]);
        }
        let pools = clusters.iter().filter_map(|cluster| cluster["pools"].as_array()).flatten();
        let nodes: u64 = pools.filter_map(|pool| pool["count"].as_u64()).sum();
        let used = u32::try_from(nodes * 4).unwrap_or(PLENTY);
        let until = self.when();
        self.happens(until, Happening::Azure(AzureChange::Quota(PLENTY)));
        json!([{ "subscription": SUBSCRIPTION, "location": "westeurope", "vcpus": used }])
    }

    /// What Azure does now and then, until it is calm.
    pub(super) fn quirks(&mut self) -> Vec<Value> {
        const OFTEN: [&str; 12] = [
            "failingPolls",
            "failingReads",
            "failingWrites",
            "gatewayTimeouts",
            "cutRequests",
            "lostAnswers",
            "delays",
            "throttled",
            "busy",
            "preconditionFailed",
            "staleReads",
            "preemption",
        ];
        const ALWAYS: [&str; 8] = [
            "nullArrays",
            "unsortedUpgrades",
            "otherCaseIds",
            "missingETags",
            "missingCurrentVersions",
            "missingPowerState",
            "emptyPages",
            "errorInSucceeded",
        ];
        let until = self.calm_from();
        let mut rules = Vec::new();
        for quirk in OFTEN {
            if self.is_off(quirk) {
                continue;
            }
            if self.is_drawn(quirk, 0.3) {
                let probability = 0.01 + self.dice.f64() * 0.15;
                rules.push(json!({"quirk": quirk, "probability": probability, "until": until}));
            }
        }
        for quirk in ALWAYS {
            if self.is_off(quirk) {
                continue;
            }
            if self.is_drawn(quirk, 0.2) {
                rules.push(json!({ "quirk": quirk }));
            }
        }
        for quirk in ["expiredOperations", "slowOperations"] {
            if self.is_drawn(quirk, 0.2) {
                rules.push(json!({"quirk": quirk, "probability": 0.5, "until": until}));
            }
        }
        rules
    }

    /// Quirks that do not go with what else was drawn.
    fn is_off(&self, quirk: &str) -> bool {
        match quirk {
            // Nobody could tell a stopped pool then.
            "missingPowerState" => self.drawn.contains("a stopped pool"),
            // Not solved: an upgrade of the whole cluster that was pushed aside, has failed or was aborted shows
            // versions that do not run, and Azure refuses the control plane's step that is to repair it, because of
            // the pools.
            "preemption" => self.drawn.contains("a version from which only the whole cluster goes on"),
            // Nobody could tell that what was read is old, and to be written back.
            "missingETags" => self.drawn.contains("staleReads"),
            _ => false,
        }
    }

    pub(super) fn durations(&mut self) -> Value {
        let quick = self.is_drawn("changes of settings that take no time", 0.4);
        let mut length = |from, to| SignedDuration::from_secs(self.dice.i64(from..to));
        let update = if quick { SignedDuration::ZERO } else { length(5, 120) };
        json!({
            "controlPlane": length(120, 1800), "reimageLinux": length(60, 900), "reimageWindows": length(120, 1800),
            "surgeCreate": length(30, 600), "delete": length(10, 120), "update": update,
        })
    }
}

/// Refusals of one upgrade, in Azure's words.
fn refusal(kind: usize) -> (&'static str, Value) {
    match kind {
        4 => (
            "refused by a policy",
            json!({"status": 403, "code": "RequestDisallowedByPolicy", "resourceManager": true,
                "message": "Resource 'c0' was disallowed by policy. Policy identifiers: '[]'."}),
        ),
        5 => (
            "refused for a disruption budget",
            json!({"status": 400, "code": "UnsatisfiablePDB",
                "message": "1 error occurred: * PDB shop/checkout has maxUnavailable == 0 can't proceed with put operation"}),
        ),
        6 => (
            "refused as not permitted",
            json!({"status": 403, "code": "AuthorizationFailed", "resourceManager": true,
                "message": "The client does not have authorization to perform action 'write' over scope 'c0'."}),
        ),
        _ => (
            "refused as busy",
            json!({"status": 409, "code": "OperationNotAllowed", "message": "Another operation is in progress."}),
        ),
    }
}
