//! Decides what happens to a fleet of AKS clusters, and when.
//!
//! Everything comes in as an argument (specification, recorded status, observation,
//! gate verdicts, the current instant), one decision comes out. Nothing here knows
//! of tokio, kube, HTTP or a clock.

mod action;
pub mod calendar;
mod claim;
mod cluster;
mod control;
mod decide;
mod executor;
mod failure;
mod forecast;
mod gates;
mod history;
mod image;
mod instants;
mod lag;
mod ledger;
mod mend;
mod observation;
mod offers;
mod on_offer;
mod os_sku;
mod path;
mod plan;
#[doc(hidden)]
pub mod planted;
mod policy;
mod ports;
mod refusal;
mod rollout;
mod schedule;
mod settings;
mod steady;
mod step;
mod support;
mod target;
#[cfg(test)]
mod testing;
mod time_scale;
mod version;
mod waiting;
mod wave;

pub use action::Action;
pub use calendar::{Opening, Window};
pub use claim::Claimant;
pub use cluster::{Cluster, NodePool, PoolType, Power, ProvisioningState};
pub use control::{Abort, Asked, Control, Halt, HaltedAfter, RecentlyUsed};
pub use decide::{
    Decision, Request, View, accepted, answered, decide, left_out, not_sent, offers_needed, refused,
    refused_at_end,
};
pub use executor::{Progress, advance};
#[cfg(any(test, fuzzing))]
pub use failure::checks::check as check_failure;
pub use failure::{Blocker, Failure, FailureClass};
pub use forecast::{Outlay, UpcomingWave, end_of_rollout, steady_eta};
pub use gates::{LARGEST_BASELINE, Verdict, judge_nodes, judge_workloads, take_baseline};
pub use history::{PastStep, UpgradeRecord, remember_upgrade};
pub use image::{age_in_days, family, images_by_family_schema, pins, published};
pub use ledger::{Baseline, Expected, Hold, Ledger, Operation, Phase, StepRecord, StepState};
pub use observation::{
    HeldBack, Inside, Look, Node, Observation, OperationReport, Reading, ServerVersion, Unreadable, Workload,
};
pub use offers::{OfferedVersion, Offers, OffersNeeded, RegionVersion, SupportPlans};
pub use on_offer::{Hindrance, OnOffer, newest_of_each_minor};
pub use os_sku::last_minor;
pub use plan::{LeftAlone, Outline, Plan, PlannedStep, Stays, outline, plan};
pub use policy::{OnGateFailure, OrderRule, Policy, PoolMatch};
pub use ports::{Clock, Fleet, Glance, Journal, Rejection, RolloutStore, Workloads};
pub use refusal::Refusal;
pub use rollout::{
    Approval, ApprovalPolicy, Approved, ApprovedWave, Approver, Creation, FailedCluster, Inventory,
    Judgement, Left, MemberStanding, Mode, NewMember, NotCounted, Obstacle, Occasion, Outcome, Outlook,
    Place, Proposal, ProposedWave, RequestedWave, ResolvedTarget, Rollout, RolloutMember, RolloutProgress,
    RolloutRecord, RolloutRequest, Wanted, Watching, advance_rollout, judge_approvals, remember, watch,
};
pub use schedule::{
    Bounds, Configured, Estimates, Freeze, LARGEST_ESTIMATES, Maintenance, Schedule, learned,
};
pub use settings::{Changes, Restore, Setting, Settings};
pub use steady::steady;
pub use step::{Step, StepKind};
pub use support::{End, Month, Over, Support, outlook, support};
pub use target::{
    Channel, KubernetesRequest, NodeImagePolicy, Scope, Target, Unresolvable, common_to_all, resolve,
};
pub use time_scale::{InvalidTimeScale, TimeScale};
pub use version::{InvalidVersion, KubernetesVersion, Minor, VersionRequest, allowed_skew};
pub use waiting::{Stance, WaitingOn};
pub use wave::{Member, MemberState, RolloutDecision, START_SPACING, Share, Wave, WaveState, decide_rollout};
