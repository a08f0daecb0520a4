//! Why something waits, as text.

use super::{super::output::local, Answer};

pub(super) fn render(answer: &Answer) -> String {
    let verb = match answer.phase.as_str() {
        "Stopped" => "has stopped",
        "Succeeded" => "is done",
        "Skipped" => "was left out",
        "Parked" => "waits",
        _ => "is being worked on",
    };
    let mut text = format!("{} {verb}", answer.subject);
    if let Some(step) = &answer.step {
        text.push_str(&format!(" at {step}"));
    }
    if let Some(since) = answer.since {
        text.push_str(&format!(", since {}", local(since)));
    }
    text.push_str(&format!(": {}\n", answer.reason));
    if !answer.in_the_way.iter().any(|refusal| answer.message.contains(&refusal.message)) {
        text.push_str(&format!("  {}\n", answer.message));
    }
    for besides in answer.repairs.iter().chain(&answer.besides) {
        text.push_str(&format!("  {besides}\n"));
    }
    for refusal in &answer.in_the_way {
        text.push_str(&format!("  in the way: {}\n", refusal.message));
    }
    for blocker in &answer.blockers {
        text.push_str(&format!("    {blocker}\n"));
    }
    if let Some(failure) = &answer.azure_said {
        let codes: Vec<&str> =
            [&failure.code, &failure.subcode].into_iter().flatten().map(String::as_str).collect();
        text.push_str(&format!("  Azure said: {}: {}\n", codes.join(" / "), failure.message));
    }
    for settings in &answer.overridden {
        text.push_str(&format!(
            "  {settings}; put back when the step has ended, or the upgrade is deleted\n"
        ));
    }
    for setting in &answer.left_to_others {
        text.push_str(&format!("  {setting} was changed by somebody else meanwhile: it was left so\n"));
    }
    if !answer.what_you_can_do.is_empty() {
        text.push_str("what you can do\n");
        for advice in &answer.what_you_can_do {
            text.push_str(&format!("  {advice}\n"));
        }
    }
    text
}
