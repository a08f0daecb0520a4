//! Windows and freezes that cannot be meant.

use anyhow::{Context as _, Result};
use crds::MaintenanceWindow;
use tests::stage::{is, when, would_take};

use crate::{STAGE, contains, refused};

fn window(name: &str, spec: &str) -> String {
    format!(
        "
apiVersion: tidegate.dev/v1alpha1
kind: MaintenanceWindow
metadata: {{namespace: bad, name: {name}}}
spec: {spec}
"
    )
}

const SATURDAYS: &str = "{weekly: {daysOfWeek: [Saturday], startTime: '22:00'}}";

#[test]
fn a_window_that_one_look_shows_to_be_wrong_is_refused_at_admission() -> Result<()> {
    STAGE.run(async |stage| {
        let once = |from: &str, until: &str| {
            (format!("{{once: {{from: '{from}', until: '{until}'}}}}"), "spec.starts[0].once")
        };
        let starts: [((String, &str), &[&str]); 12] = [
            (("{}".into(), "spec.starts[0]"), &["exactly one of weekly, monthly, cron and once"]),
            (
                (
                    "{cron: 0 22 * * 6, once: {from: '2026-12-05T22:00', until: '2026-12-06T22:00'}}".into(),
                    "spec.starts[0]",
                ),
                &["exactly one of"],
            ),
            (
                ("{weekly: {daysOfWeek: [Saturn], startTime: '22:00'}}".into(), "daysOfWeek[0]"),
                &["Saturn", "Saturday"],
            ),
            (("{weekly: {daysOfWeek: [], startTime: '22:00'}}".into(), "daysOfWeek"), &["at least 1 item"]),
            (("{weekly: {daysOfWeek: [Sunday], startTime: '24:00'}}".into(), "weekly.startTime"), &["24:00"]),
            (("{monthly: {startTime: '22:00'}}".into(), "spec.starts[0].monthly"), &["either dayOfMonth"]),
            (
                (
                    "{monthly: {dayOfMonth: 3, weekIndex: Last, dayOfWeek: Sunday, startTime: '22:00'}}"
                        .into(),
                    "spec.starts[0].monthly",
                ),
                &["either dayOfMonth"],
            ),
            (
                ("{monthly: {dayOfMonth: 32, startTime: '22:00'}}".into(), "monthly.dayOfMonth"),
                &["less than or equal to 31"],
            ),
            (once("2026-12-06T22:00", "2026-12-05T22:00"), &["from must be before until"]),
            (once("2026-12-06T00:30:00+02:00", "2026-12-05T22:30:00Z"), &["from must be before until"]),
            (once("2026-12-05T22:00", "2026-12-06T22:00:00Z"), &["both be local times", "or both instants"]),
            (once("tomorrow", "2026-12-06T22:00"), &["from", "tomorrow"]),
        ];
        for ((start, field), words) in starts {
            let spec = format!("{{timeZone: Europe/Berlin, duration: 6h, starts: [{start}]}}");
            refused(stage, &window("bad", &spec), &[&[field], words].concat()).await?;
        }
        for duration in ["0h", "0h0m", "7d", "168h", "167h60m", "banana"] {
            let spec = format!("{{timeZone: Europe/Berlin, duration: {duration}, starts: [{SATURDAYS}]}}");
            refused(stage, &window("bad", &spec), &["spec.duration"]).await?;
        }
        for duration in ["30m", "167h59m"] {
            let spec = format!("{{timeZone: Europe/Berlin, duration: {duration}, starts: [{SATURDAYS}]}}");
            stage.apply(&window("good", &spec)).await?;
        }
        let missing = format!("{{timeZone: Europe/Berlin, starts: [{SATURDAYS}]}}");
        refused(stage, &window("bad", &missing), &["spec.duration is needed"]).await?;
        let (day, _) = once("2026-12-05T22:00", "2026-12-06T22:00");
        let useless = format!("{{timeZone: Europe/Berlin, duration: 6h, starts: [{day}]}}");
        refused(
            stage,
            &window("bad", &useless),
            &["spec.duration is not for starts that are once", "leave it out"],
        )
        .await?;
        for good in [format!("starts: [{day}]"), format!("duration: 6h, starts: [{day}, {SATURDAYS}]")] {
            would_take(&stage.hub(), &window("better", &format!("{{timeZone: Europe/Berlin, {good}}}")))
                .await?;
        }
        let exclusions: [(&str, &[&str]); 3] = [
            ("{}", &["exactly one of days and period"]),
            ("{days: {first: '2026-12-31', last: '2026-12-30'}}", &["days", "first must not be after last"]),
            ("{days: {first: Christmas}}", &["days.first", "Christmas"]),
        ];
        for (exclusion, words) in exclusions {
            let spec = format!(
                "{{timeZone: Europe/Berlin, duration: 6h, starts: [{SATURDAYS}], exclusions: [{exclusion}]}}"
            );
            refused(stage, &window("bad", &spec), &[&["spec.exclusions[0]"], words].concat()).await?;
        }
        Ok(())
    })
}

#[test]
fn a_window_that_takes_a_calendar_to_be_seen_wrong_stalls() -> Result<()> {
    STAGE.run(async |stage| {
        let cases: [(&str, String, &[&str]); 5] = [
            ("zone", format!("{{timeZone: Europe/Berln, duration: 6h, starts: [{SATURDAYS}]}}"), &["spec.timeZone", "Europe/Berln", "did you mean Europe/Berlin"]),
            ("never", "{timeZone: UTC, duration: 6h, starts: [{cron: 0 22 31 2 *}]}".into(), &["spec.starts[0].cron", "never opens"]),
            ("cron", "{timeZone: UTC, duration: 6h, starts: [{cron: every saturday}]}".into(), &["spec.starts[0].cron", "five fields", "0 22 * * 6"]),
            ("date", "{timeZone: UTC, starts: [{once: {from: '2026-02-30T22:00', until: '2026-03-02T22:00'}}]}".into(), &["spec.starts[0].once.from", "2026-02-30T22:00"]),
            ("excluded", format!("{{timeZone: UTC, duration: 6h, starts: [{SATURDAYS}], exclusions: [{{days: {{first: '2026-01-01', last: '2099-12-31'}}}}]}}"), &["spec.exclusions", "every opening"]),
        ];
        for (name, spec, _) in &cases {
            stage.apply(&window(name, spec)).await?;
        }
        let stalled = |window: &MaintenanceWindow| {
            window.status.as_ref().is_some_and(|status| is(&status.conditions, "Stalled", "True"))
        };
        for (name, _, words) in &cases {
            let window = when(&stage.windows("bad"), name, "Stalled", stalled).await?;
            let status = window.status.context("a status")?;
            contains(&status.conditions, "Stalled", words)?;
            assert_eq!(status.open, None);
        }
        // It opens once it is mended.
        stage.apply(&window("zone", &format!("{{timeZone: Europe/Berlin, duration: 6h, starts: [{SATURDAYS}]}}"))).await?;
        let ready = |window: &MaintenanceWindow| {
            window.status.as_ref().is_some_and(|status| status.next_openings.len() == 5)
        };
        let window = when(&stage.windows("bad"), "zone", "Ready with openings", ready).await?;
        let status = window.status.context("a status")?;
        assert!(is(&status.conditions, "Ready", "True") && is(&status.conditions, "Stalled", "False"));
        Ok(())
    })
}

#[test]
fn a_freeze_that_ends_before_it_begins_is_refused() -> Result<()> {
    STAGE.run(async |stage| {
        let freeze = |from: &str, to: &str| {
            format!(
                "
apiVersion: tidegate.dev/v1alpha1
kind: UpgradeFreeze
metadata: {{name: holidays}}
spec: {{reason: holidays, namespaces: [nobody], from: '{from}', to: '{to}'}}
"
            )
        };
        let (first, last) = ("2026-12-20T00:00:00Z", "2027-01-04T00:00:00Z");
        let words = ["spec.from must be before spec.to"];
        refused(stage, &freeze(last, first), &words).await?;
        refused(stage, &freeze(first, first), &words).await?;
        // Instants are compared, not their texts.
        refused(stage, &freeze("2026-12-20T00:00:00-01:00", "2026-12-20T00:30:00Z"), &words).await?;
        would_take(&stage.hub(), &freeze("2026-12-20T01:00:00+02:00", "2026-12-20T00:00:00Z")).await?;
        would_take(&stage.hub(), &freeze(first, last)).await?;
        refused(stage, &freeze("Christmas", last), &["spec.from", "Christmas"]).await?;
        refused(stage, &freeze(first, last).replace("reason: holidays, ", ""), &["spec.reason", "Required"])
            .await
    })
}
