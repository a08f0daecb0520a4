use serde_json::{Value, json};

use super::*;
use crate::cli::{fixtures, output::local};

fn answers() -> Vec<ClusterAnswer> {
    fixtures::fleet().iter().map(|found| ClusterAnswer::of(found, fixtures::now())).collect()
}

fn name(answer: &ClusterAnswer) -> String {
    answer.standing.name.clone()
}

/// The words of a table, line by line, with one space between columns.
fn lines(table: &str) -> Vec<String> {
    table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn a_line_for_each_cluster_and_errors_in_their_place() {
    let seen = local(fixtures::seen_at());
    let unreachable = format!("AzureUnreachable since {}", local(fixtures::since()));
    assert_eq!(
        lines(&render::table(&answers(), name)),
        [
            "CLUSTER REGION VERSION SUPPORT POOLS OLDEST IMAGE NODES SEEN STATE",
            &format!(
                "lts-1 westeurope 1.33.100 LTS until Jul 2027 0/1 up to date age unknown 3 {seen} Ready"
            ),
            &format!("neu-1 westeurope 1.37.1 until Oct 2027 1/1 up to date 12 days 3 {seen} {unreachable}"),
            "new-1 – – – – – – – AzureUnreachable: 404 ResourceNotFound: no such cluster",
            "odd-1 – – – – – – – the AKSCluster cannot be read: invalid type: string \"none\", expected a sequence",
            &format!("sto-1 westeurope 1.36.2 until Jun 2027 0/0 up to date – 0 {seen} Ready, stopped"),
            &format!("weu-1 westeurope 1.34.4 until Nov 2026 0/2 up to date 52 days 6 {seen} Ready"),
        ]
    );
}

#[test]
fn wide_has_ids_plans_pools_and_warnings() {
    let wide = render::wide(&answers());
    let blocks: Vec<Vec<String>> = wide.split("\n\n").map(lines).collect();
    assert_eq!(blocks.len(), 6);
    let since = local(fixtures::since());
    assert_eq!(
        blocks[5],
        [
            "fleet/weu-1 westeurope 1.34.4 until Nov 2026",
            &format!("Ready since {since}: Azure and the cluster's API can be read"),
            &format!("seen in Azure {}", local(fixtures::seen_at())),
            &format!("what Azure offers was read {}", local(fixtures::read_at())),
            "/subscriptions/20000000-0000-4000-8000-000000000001/resourceGroups/shop/providers/Microsoft.ContainerService/managedClusters/weu-1",
            "subscription 20000000-0000-4000-8000-000000000001, resource group shop",
            "tier Standard, support plan KubernetesOfficial, auto-upgrade off, node images by Azure NodeImage",
            "POOL MODE OS VERSION NODES IMAGE AGE NEWEST IMAGE STATE",
            "system System Ubuntu2204, last on 1.36 1.34.4 3 AKSUbuntu-2204gen2containerd-202610.01.0 52 days AKSUbuntu-2204gen2containerd-202611.10.0, 12 days –",
            "win1 System Windows2022, last on 1.36 1.33.5 3 AKSWindows-2022-containerd-20348.4297.261008 45 days AKSWindows-2022-containerd-20348.4405.261112, 10 days –",
            "! pool system runs Ubuntu2204, which ends with Kubernetes 1.36: change its OS SKU (az aks nodepool update --os-sku)",
            "! pool win1 runs Windows2022, which ends with Kubernetes 1.36: a Windows pool cannot change its OS SKU, so move its workloads to a new pool",
        ]
    );
    assert_eq!(
        blocks[1][1],
        format!("AzureUnreachable since {since}: 403 AuthorizationFailed: may not read it")
    );
    assert!(blocks[2][1].starts_with("AzureUnreachable: 404") && blocks[2].len() == 4, "{:?}", blocks[2]);
    assert_eq!(blocks[3].len(), 2, "nothing is known of it but why: {:?}", blocks[3]);
    assert!(blocks[4][0].ends_with("stopped") && blocks[4].len() == 7, "{:?}", blocks[4]);
}

#[test]
fn programs_get_exact_values_under_stable_names() {
    let json = serde_json::to_value(answers()).unwrap();
    let weu = &json[5];
    let picked = |fields: &[&str]| fields.iter().map(|field| weu[*field].clone()).collect::<Value>();
    assert_eq!(
        picked(&["namespace", "name", "location", "version", "nodes", "poolsUpToDate", "poolsTotal"]),
        json!(["fleet", "weu-1", "westeurope", "1.34.4", 6, 0, 2])
    );
    assert_eq!(
        picked(&["tier", "supportPlan", "autoUpgradeChannel", "nodeOsUpgradeChannel", "power", "error"]),
        json!(["Standard", "KubernetesOfficial", null, "NodeImage", "Running", null])
    );
    assert_eq!(weu["support"], json!({"level": "Supported", "until": "2026-11", "passed": false}));
    assert_eq!(weu["ready"]["since"], "2026-11-20T08:00:00Z");
    assert_eq!(weu["clusterReadAt"], "2026-11-22T20:50:00Z");
    assert_eq!(weu["offersReadAt"], "2026-11-22T20:30:00Z");
    assert_eq!((&weu["resourceGroup"], &weu["labels"]), (&json!("shop"), &json!({"ring": "canary"})));
    assert_eq!(weu["oldestImage"], json!({"pool": "system", "ageDays": 52}));
    let image = json!({
        "name": "AKSWindows-2022-containerd-20348.4297.261008", "published": "2026-10-08", "ageDays": 45,
        "newest": "AKSWindows-2022-containerd-20348.4405.261112", "newestPublished": "2026-11-12",
        "newestAgeDays": 10, "behind": true
    });
    assert_eq!(weu["pools"][1]["image"], image);
    assert_eq!(weu["pools"][1]["osSkuLastMinor"], "1.36");
    assert!(json[3]["error"].as_str().unwrap().contains("cannot be read") && json[3]["version"].is_null());
    let yaml = Format::Yaml.render(&answers()).unwrap().unwrap();
    assert!(yaml.contains("location: westeurope") && yaml.contains("- namespace: fleet"), "{yaml}");
}

#[test]
fn sorted_by_what_is_asked_with_the_unknown_last() {
    let sorted = |by: Sort| {
        let mut answers = answers();
        sort(&mut answers, by);
        answers.iter().map(name).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(sorted(Sort::Name), "lts-1 neu-1 new-1 odd-1 sto-1 weu-1");
    assert_eq!(sorted(Sort::Version), "lts-1 weu-1 sto-1 neu-1 new-1 odd-1");
    assert_eq!(sorted(Sort::Support), "weu-1 sto-1 lts-1 neu-1 new-1 odd-1");
    assert_eq!(sorted(Sort::Image), "weu-1 neu-1 lts-1 new-1 odd-1 sto-1", "lts-1 and sto-1 tell no age");
    assert_eq!(sorted(Sort::Region), "lts-1 neu-1 sto-1 weu-1 new-1 odd-1");
}

#[test]
fn many_warnings_are_counted() {
    let few = render::warnings(&answers());
    assert_eq!(few.len(), 2);
    assert!(few[0].starts_with("warning: weu-1: pool system runs Ubuntu2204"), "{few:?}");
    let many: Vec<ClusterAnswer> = (0..6).flat_map(|_| answers()).collect();
    let lines = render::warnings(&many);
    assert_eq!(lines.len(), 11);
    assert_eq!(lines[10], "warning: and 2 more: tidegate inventory -o wide shows them");
}

#[test]
fn a_number_of_nodes_that_azure_does_not_say_is_unknown_and_not_zero() {
    let mut found = fixtures::fleet().remove(5);
    let status = found.cluster.as_mut().unwrap().status.as_mut().unwrap();
    status.cluster.as_mut().unwrap().pools[0].count = None;
    let answers = [ClusterAnswer::of(&found, fixtures::now())];
    assert!(lines(&render::table(&answers, name))[1].contains("52 days unknown "));
    let json = serde_json::to_value(&answers[0]).unwrap();
    assert_eq!(
        (&json["nodes"], &json["pools"][0]["nodes"], &json["pools"][1]["nodes"]),
        (&Value::Null, &Value::Null, &json!(3))
    );
}

#[test]
fn a_pool_is_up_to_date_only_when_it_is_settled() {
    let told = |change: fn(&mut engine::NodePool)| {
        let mut found = fixtures::fleet().remove(1);
        let status = found.cluster.as_mut().unwrap().status.as_mut().unwrap();
        change(&mut status.cluster.as_mut().unwrap().pools[0]);
        let answer = ClusterAnswer::of(&found, fixtures::now()).observed.unwrap();
        (answer.pools[0].up_to_date, answer.pools_up_to_date)
    };
    assert_eq!(told(|_| {}), (Some(true), 1));
    assert_eq!(told(|pool| pool.provisioning_state = "Failed".to_owned().into()), (Some(false), 0));
    assert_eq!(told(|pool| pool.version = "1.36.2".parse().unwrap()), (Some(false), 0));
    assert_eq!(told(|pool| pool.node_image.push('1')), (Some(false), 0));
    assert_eq!(told(|pool| pool.name = "other".to_owned()), (None, 0), "no newest image is known for it");
}
