//! Bad scripts are refused with the field; a recorded timeline is put in its place.

use super::*;

const STORY: &str = "
given:
  clusters:
  - { name: weu-1, kubernetesVersion: 1.34.4, pools: [{ name: system, mode: System }] }
upgrades:
- { cluster: weu-1, target: { kubernetes: { version: 1.35.3 } } }
";

fn refusal(text: &str) -> String {
    Script::parse(text).unwrap_err().to_string()
}

#[test]
fn errors_name_the_field_and_what_would_be_right() {
    let with = |more: &str| refusal(&format!("{STORY}{more}"));
    let instead = |old: &str, new: &str| refusal(&STORY.replace(old, new));
    for (refusal, field, remedy) in [
        (with("evnts: []\n"), "evnts", "events"),
        (with("events: [{ do: { retry: weu-1 } }]\n"), "events[0]", "after"),
        (with("events: [{ after: 1h, do: { rety: weu-1 } }]\n"), "rety", "retry"),
        (with("events: [{ after: 1h, do: { retry: weu-2 } }]\n"), "events[0].do.retry", "weu-1"),
        (with("events: [{ after: soon, do: { retry: weu-1 } }]\n"), "soon", "1h30m"),
        (
            with("events: [{ after: 1h, do: { crash: { replica: 1, for: 1m } } }]\n"),
            "events[0].do.crash.replica",
            "given.replicas",
        ),
        (
            with(
                "events: [{ after: 1h, do: { somebodyUpgrades: { cluster: weu-1, pool: apps, to: 1.35.3 } } }]\n",
            ),
            "events[0].do.somebodyUpgrades.pool",
            "system",
        ),
        (with("timeline: |\n  0:00\nuntil: 1h\n"), "timeline", "last"),
        (
            with("waves: [{ name: a, clusters: { names: [weu-2] } }]\n"),
            "waves[0].clusters.names",
            "there is weu-1",
        ),
        (
            with("waves: [{ name: a, clusters: { names: [weu-1] }, maxConcurrent: 0 }]\n"),
            "waves[0].maxConcurrent",
            "at least 1",
        ),
        (with("until: 1h\nevents: [{ after: 2h, do: { retry: weu-1 } }]\n"), "until", "more time"),
        (instead("mode: System", "mood: System"), "given.clusters[0]", "mood"),
        (instead("pools: [{ name: system, mode: System }]", "pools: []"), "given.clusters[0].pools", ""),
        (instead("1.35.3", "newest"), "upgrades[0]: spec.target.kubernetes.version", "1.34.2"),
        (instead("{ kubernetes: { version: 1.35.3 } }", "{}"), "upgrades[0].target.kubernetes", "NodeImage"),
        (
            instead("{ version: 1.35.3 }", "{ version: 1.35.3, patch: 3 }"),
            "upgrades[0].target.kubernetes.patch",
            "leave it out",
        ),
        (
            instead("1.35.3 } }", "1.35.3 } }, policy: { failurePolicy: { retry: 1 } }"),
            "upgrades[0].policy.failurePolicy.retry",
            "leave it out",
        ),
        (instead("cluster: weu-1, target", "cluster: neu-1, target"), "upgrades[0].cluster", "weu-1"),
        (instead("given:", "given:\n  replicas: 0"), "given.replicas", "at least 1"),
        (instead("given:", "given:\n  inside: { neu-1: {} }"), "given.inside.neu-1", "weu-1"),
        (instead("given:", "given:\n  azure: { pageSize: 0 }"), "given.azure.pageSize", "at least 1"),
    ] {
        assert!(refusal.contains(field) && refusal.contains(remedy), "{field}: {refusal}");
    }
}

#[test]
fn an_event_that_never_happens_is_an_error() {
    let text = format!("{STORY}events: [{{ when: weu-1 pool apps to 1.35.3, do: {{ retry: weu-1 }} }}]\n");
    let error = Script::parse(&text).unwrap().play().unwrap_err().to_string();
    assert!(error.starts_with("events[0].when: never happened"), "{error}");
    assert!(error.contains("weu-1 control plane to 1.35.3; weu-1 pool system to 1.35.3"), "{error}");
}

#[test]
fn the_timeline_goes_to_the_end_of_the_file() {
    let lines = ["0:00  one".to_owned(), "      two".to_owned()];
    let written = with_timeline(STORY, &lines);
    assert_eq!(written, format!("{}\ntimeline: |\n  0:00  one\n        two\n", STORY.trim_end()));
    assert_eq!(with_timeline(&written, &lines), written);
    assert_eq!(Script::parse(&written).unwrap().recorded(), lines.join("\n"));
}

#[test]
fn the_same_script_tells_the_same_story() {
    let script = Script::parse(STORY).unwrap();
    let story = script.play().unwrap();
    assert_eq!(story.violation, None);
    assert_eq!(story.timeline, script.play().unwrap().timeline);
    let end = story.timeline.last().unwrap();
    assert!(end.contains("is done, 2 of 2 steps: control plane 1.35.3, system 1.35.3"), "{end}");
}
