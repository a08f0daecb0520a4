use serde_json::json;

use super::*;
use crate::cli::{fixtures, output::local};

fn answers() -> Vec<ClusterAnswer> {
    fixtures::fleet().iter().map(|found| ClusterAnswer::of(found, fixtures::now())).collect()
}

/// The words of a table, line by line, with one space between columns.
fn table(wide: bool) -> Vec<String> {
    let name = |answer: &ClusterAnswer| answer.standing.name.clone();
    let table = render::table(&answers(), name, wide);
    table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn the_newest_of_each_minor_with_its_support_or_why_there_is_none() {
    let unreachable = format!("AzureUnreachable since {}", local(fixtures::since()));
    assert_eq!(
        table(false),
        [
            "CLUSTER POOL VERSION SUPPORT OFFERED IMAGE NEWEST IMAGE",
            "lts-1 (control plane) 1.33.100 LTS until Jul 2027 1.33.101 (LTS until Jul 2027), 1.34.4 (LTS until Nov 2027) – –",
            "lts-1 system 1.33.100 LTS until Jul 2027 none: it has the version of its control plane custom, age unknown AKSUbuntu-2204gen2containerd-202611.10.0",
            &format!(
                "neu-1 (control plane) 1.37.1 until Oct 2027 none: it has the newest version of its region; {unreachable} – –"
            ),
            "neu-1 az 1.37.1 until Oct 2027 none: it has the version of its control plane 202611.10.0, 12 days newest already",
            "new-1 – – – AzureUnreachable: 404 ResourceNotFound: no such cluster – –",
            "odd-1 – – – the AKSCluster cannot be read: invalid type: string \"none\", expected a sequence – –",
            "sto-1 (control plane) 1.36.2 until Jun 2027 1.37.1 (until Oct 2027); but the cluster is stopped – –",
            "weu-1 (control plane) 1.34.4 until Nov 2026 1.35.3 (until Mar 2027), 1.36.0 (until Jun 2027) – –",
            "weu-1 system 1.34.4 until Nov 2026 none: it has the version of its control plane 202610.01.0, 52 days 202611.10.0",
            "weu-1 win1 1.33.5 out of support 1.34.4 (until Nov 2026) 20348.4297.261008, 45 days 20348.4405.261112",
        ]
    );
}

#[test]
fn wide_has_every_version_whole_image_names_and_warnings() {
    let lines = table(true);
    assert!(lines.contains(&"weu-1 (control plane) – 1.34.4 until Nov 2026 1.35.1 (until Mar 2027), 1.35.3 (until Mar 2027), 1.36.0 (until Jun 2027) – –".to_owned()), "{lines:#?}");
    assert!(lines.contains(&"weu-1 win1 Windows2022, last on 1.36 1.33.5 out of support 1.34.2 (until Nov 2026), 1.34.4 (until Nov 2026) AKSWindows-2022-containerd-20348.4297.261008, 45 days AKSWindows-2022-containerd-20348.4405.261112, 10 days".to_owned()), "{lines:#?}");
    let remarks: Vec<&String> = lines.iter().filter(|line| line.starts_with('!')).collect();
    let about = |name: &str| -> Vec<&str> {
        remarks.iter().filter_map(|remark| remark.strip_prefix(&format!("! {name}: "))).collect()
    };
    let read = format!("what Azure offers was read {}", local(fixtures::read_at()));
    assert_eq!(about("sto-1"), [read.as_str()]);
    let neu = about("neu-1");
    assert!(neu[0].starts_with("AzureUnreachable since") && neu[0].ends_with("last seen before"), "{neu:?}");
    let weu = about("weu-1");
    assert!(weu[2].starts_with("pool win1 runs Windows2022, which ends with Kubernetes 1.36"), "{weu:?}");
}

#[test]
fn programs_get_all_versions_each_with_its_support() {
    let json = serde_json::to_value(answers()).unwrap();
    let weu = &json[5];
    let until = |month: &str| json!({"level": "Supported", "until": month, "passed": false});
    assert_eq!(
        weu["controlPlane"],
        json!({
            "version": "1.34.4", "support": until("2026-11"), "hindrance": null,
            "offered": [
                {"version": "1.35.1", "preview": false, "support": until("2027-03")},
                {"version": "1.35.3", "preview": false, "support": until("2027-03")},
                {"version": "1.36.0", "preview": false, "support": until("2027-06")},
            ]
        })
    );
    let windows = &weu["pools"][1];
    assert_eq!((&windows["name"], &windows["osSku"]), (&json!("win1"), &json!("Windows2022")));
    assert_eq!(windows["support"]["longTermSupport"], json!({"until": "2027-07", "passed": false}));
    assert_eq!(windows["image"]["behind"], json!(true));
    assert_eq!(json[4]["controlPlane"]["hindrance"], "the cluster is stopped");
    let error = "AzureUnreachable: 404 ResourceNotFound: no such cluster";
    assert_eq!((&json[2]["error"], json[2].get("controlPlane")), (&json!(error), None));
}
