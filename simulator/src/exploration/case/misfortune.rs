//! What a seed draws of what goes wrong in Azure and within clusters.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Draw, HOUR, MINUTE};
use crate::exploration::workloads::{Surroundings, Truth};

impl Draw {
    /// Upgrades that fail, and from when on the budgets allow what blocked one.
    pub(super) fn faults(&mut self, pools: &[String], chaos: Duration) -> (Vec<Value>, Option<Timestamp>) {
        let mut faults = Vec::new();
        let mut budgets_allow_from = None;
        for _ in 0..self.dice.usize(0..=3) {
            let pool = self.one_of(pools).clone();
            let (upgrade, after_nodes) = (self.dice.u32(1..=3), self.dice.u32(0..=2));
            let mut fault = json!({"upgrade": upgrade, "afterNodes": after_nodes});
            match self.dice.usize(0..5) {
                0 => {
                    fault["pool"] = pool.into();
                    fault["blockedBy"] =
                        json!([{"namespace": "shop", "pod": "checkout-1", "budget": "checkout"}]);
                    let from = self.when(chaos);
                    budgets_allow_from =
                        Some(budgets_allow_from.map_or(from, |known: Timestamp| known.max(from)));
                }
                1 => {
                    fault["pool"] = pool.into();
                    fault["error"] =
                        json!({"code": "OverconstrainedAllocationRequest", "message": "Allocation failed."});
                }
                2 => {
                    fault["pool"] = pool.into();
                    fault["error"] = json!({"code": "UpgradeFailed", "subcode": "VMExtensionProvisioningError",
                        "message": "A node did not come up."});
                }
                3 => {
                    fault["error"] =
                        json!({"code": "InternalServerError", "message": "Something went wrong."});
                }
                _ => {
                    fault["pool"] = pool.into();
                    fault["refuse"] = json!({"status": 409, "code": "OperationNotAllowed",
                        "message": "Another operation is in progress."});
                }
            }
            faults.push(fault);
        }
        (faults, budgets_allow_from)
    }

    pub(super) fn surroundings(&mut self, chaos: Duration) -> Surroundings {
        let workloads = (0..self.dice.usize(1..=3)).map(|number| {
            let late = self.chance(0.2);
            let created_at =
                if late { self.when(chaos) } else { self.start - Duration::from_secs(30 * HOUR) };
            let broken = (0..self.dice.usize(0..=2)).map(|_| {
                let from = self.when(chaos);
                (from, (from + self.seconds(MINUTE, 2 * HOUR)).min(self.start + chaos))
            });
            Truth { name: format!("app{number}"), created_at, broken: broken.collect() }
        });
        let workloads = workloads.collect();
        let outages = (0..self.dice.usize(0..=2)).map(|_| {
            let from = self.when(chaos);
            (from, (from + self.seconds(MINUTE, HOUR)).min(self.start + chaos))
        });
        Surroundings { workloads, outages: outages.collect(), budgets_allow_from: None }
    }

    /// What Azure does now and then, until it is calm.
    pub(super) fn quirks(&mut self, until: Timestamp) -> Vec<Value> {
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
        let mut rules = Vec::new();
        for quirk in OFTEN {
            if self.chance(0.35) {
                let probability = 0.01 + self.dice.f64() * 0.15;
                rules.push(json!({"quirk": quirk, "probability": probability, "until": until}));
            }
        }
        for quirk in ALWAYS {
            if self.chance(0.2) {
                rules.push(json!({ "quirk": quirk }));
            }
        }
        for quirk in ["expiredOperations", "slowOperations"] {
            if self.chance(0.2) {
                rules.push(json!({"quirk": quirk, "probability": 0.5, "until": until}));
            }
        }
        rules
    }

    pub(super) fn durations(&mut self) -> Value {
        let mut length = |from, to| SignedDuration::from_secs(self.dice.i64(from..to));
        json!({
            "controlPlane": length(120, 1800), "reimageLinux": length(60, 900), "reimageWindows": length(120, 1800),
            "surgeCreate": length(30, 600), "delete": length(10, 120), "update": length(5, 120),
        })
    }
}
