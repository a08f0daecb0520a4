//! The inventory for people: a line each cluster, or all that is known of each.

use engine::{Power, ProvisioningState};

use super::{
    super::{
        image::{ImageAnswer, age, os},
        output::{brief, complain, indented_table, table as columns},
    },
    answer::{ClusterAnswer, Observed, PoolAnswer},
};

/// More warnings than these are counted only: `-o wide` has them where they belong.
const SHOWN_WARNINGS: usize = 10;

/// A line each cluster.
pub(super) fn table(answers: &[ClusterAnswer], title: impl Fn(&ClusterAnswer) -> String) -> String {
    let rows = answers.iter().map(|answer| row(answer, title(answer))).collect();
    let header =
        ["CLUSTER", "REGION", "VERSION", "SUPPORT", "POOLS", "OLDEST IMAGE", "NODES", "SEEN", "STATE"];
    columns(&header, rows)
}

fn row(answer: &ClusterAnswer, title: String) -> Vec<String> {
    let Some(seen) = &answer.observed else {
        let error = answer.standing.error.clone().unwrap_or_default();
        let unknown = (0..7).map(|_| "–".to_owned());
        return std::iter::once(title).chain(unknown).chain([brief(&error)]).collect();
    };
    vec![
        title,
        seen.location.clone(),
        seen.version.to_string(),
        seen.support.to_string(),
        format!("{}/{} up to date", seen.pools_up_to_date, seen.pools_total),
        if seen.pools.is_empty() {
            "–".to_owned()
        } else {
            age(seen.oldest_image.as_ref().map(|oldest| oldest.age_days))
        },
        number(seen.nodes),
        answer.standing.seen(),
        state(answer, seen),
    ]
}

fn number(nodes: Option<impl ToString>) -> String {
    nodes.map_or("unknown".to_owned(), |nodes| nodes.to_string())
}

/// How the AKSCluster stands, and what is unusual of the cluster in Azure.
fn state(answer: &ClusterAnswer, seen: &Observed) -> String {
    let mut words = vec![answer.standing.words()];
    words.extend(unusual(seen.power, &seen.provisioning_state));
    words.join(", ")
}

fn unusual(power: Power, state: &ProvisioningState) -> Option<String> {
    if power == Power::Stopped {
        return Some("stopped".to_owned());
    }
    (*state != ProvisioningState::Succeeded).then(|| format!("in Azure {state}"))
}

/// Says the warnings beside a table.
pub(super) fn warn(answers: &[ClusterAnswer]) {
    for line in warnings(answers) {
        complain(&line);
    }
}

/// Who is warned of what; capped, as a fleet has many.
pub(super) fn warnings(answers: &[ClusterAnswer]) -> Vec<String> {
    let mut lines = Vec::new();
    for answer in answers {
        for warning in answer.observed.iter().flat_map(|seen| &seen.warnings) {
            lines.push(format!("warning: {}: {warning}", answer.standing.name));
        }
    }
    if let Some(more @ 1..) = lines.len().checked_sub(SHOWN_WARNINGS) {
        lines.truncate(SHOWN_WARNINGS);
        lines.push(format!("warning: and {more} more: tidegate inventory -o wide shows them"));
    }
    lines
}

/// All that is known of each cluster.
pub(super) fn wide(answers: &[ClusterAnswer]) -> String {
    answers.iter().map(block).collect::<Vec<_>>().join("\n")
}

fn block(answer: &ClusterAnswer) -> String {
    let standing = &answer.standing;
    let mut text = format!("{}/{}", standing.namespace, standing.name);
    if let Some(seen) = &answer.observed {
        text.push_str(&format!("   {}   {}   {}", seen.location, seen.version, seen.support));
        text.push_str(
            &unusual(seen.power, &seen.provisioning_state).map_or(String::new(), |u| format!("   {u}")),
        );
    }
    let known = standing.error.clone().unwrap_or_else(|| standing.sentence());
    text.push_str(&format!("\n  {known}\n"));
    for read in [standing.cluster_read(), standing.offers_read()].into_iter().flatten() {
        text.push_str(&format!("  {read}\n"));
    }
    if let Some(id) = &answer.resource_id {
        text.push_str(&format!("  {id}\n"));
    }
    if let (Some(subscription), Some(group)) = (&answer.subscription, &answer.resource_group) {
        text.push_str(&format!("  subscription {subscription}, resource group {group}\n"));
    }
    if let Some(seen) = &answer.observed {
        text.push_str(&format!("  {}\n", plans(seen)));
        text.push_str(&pools(&seen.pools));
        for warning in &seen.warnings {
            text.push_str(&format!("  !  {warning}\n"));
        }
    }
    text
}

fn plans(seen: &Observed) -> String {
    let known = |word: &Option<String>| word.clone().unwrap_or_else(|| "unknown".to_owned());
    let channel = |word: &Option<String>| word.clone().unwrap_or_else(|| "off".to_owned());
    let mut words = vec![
        format!("tier {}", known(&seen.tier)),
        format!("support plan {}", known(&seen.support_plan)),
        format!("auto-upgrade {}", channel(&seen.auto_upgrade_channel)),
        format!("node images by Azure {}", channel(&seen.node_os_upgrade_channel)),
    ];
    words.extend(seen.automatic.then(|| "AKS Automatic".to_owned()));
    words.join(", ")
}

fn pools(pools: &[PoolAnswer]) -> String {
    if pools.is_empty() {
        return String::new();
    }
    let header = ["POOL", "MODE", "OS", "VERSION", "NODES", "IMAGE", "AGE", "NEWEST IMAGE", "STATE"];
    indented_table(&header, pools.iter().map(pool).collect())
}

fn pool(pool: &PoolAnswer) -> Vec<String> {
    let image =
        |words: fn(&ImageAnswer) -> String| pool.image.as_ref().map_or_else(|| "unknown".to_owned(), words);
    vec![
        pool.name.clone(),
        pool.mode.clone(),
        os(&pool.os_type, &pool.os_sku),
        pool.version.to_string(),
        number(pool.nodes),
        image(|image| image.name.clone()),
        image(|image| age(image.age_days)),
        image(ImageAnswer::newest_long),
        unusual(pool.power, &pool.provisioning_state).unwrap_or_else(|| "–".to_owned()),
    ]
}
