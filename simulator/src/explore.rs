//! The commands `explore` and `replay`.

use std::{
    fs,
    io::{self, Write as _},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use simulator::exploration::{self, Run, Script};

/// Which seeds to run.
#[derive(Debug, clap::Args)]
pub(crate) struct Explore {
    /// How many seeds.
    #[arg(long, default_value_t = 500)]
    seeds: u64,
    /// The first one.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Go on after a seed that failed.
    #[arg(long)]
    keep_going: bool,
}

/// Which seed or script to tell of.
#[derive(Debug, clap::Args)]
pub(crate) struct Replay {
    /// A seed, or the file of a script such as those in simulator/tests/scripts.
    #[arg(value_name = "SEED|FILE")]
    what: String,
}

impl Explore {
    /// Runs the seeds; fails when one does.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let mut out = io::stdout().lock();
        let (mut simulated, mut real) = (Duration::ZERO, Duration::ZERO);
        let (mut slowest, mut failed, mut mutations) = ((Duration::ZERO, 0), 0, 0);
        for seed in self.from..self.from.saturating_add(self.seeds) {
            let (run, took) = timed(seed);
            simulated += run.simulated;
            real += took;
            mutations += run.mutations;
            slowest = slowest.max((took, seed));
            if let Some(violation) = &run.violation {
                failed += 1;
                writeln!(out, "seed {seed}: {violation}")?;
                writeln!(out, "  tell what happened: tidegate-simulator replay {seed}")?;
                if !self.keep_going {
                    break;
                }
            }
        }
        let factor = simulated.as_secs_f64() / real.as_secs_f64().max(0.001);
        writeln!(
            out,
            "{} seeds, {failed} failed; {:.0} days of simulated time in {:.1} s: {factor:.0} times real time; {mutations} changes asked of Azure; the slowest is seed {} with {} ms",
            self.seeds,
            simulated.as_secs_f64() / 86_400.0,
            real.as_secs_f64(),
            slowest.1,
            slowest.0.as_millis(),
        )?;
        Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

#[expect(clippy::disallowed_methods, reason = "how long a run takes really is what is asked")]
fn timed(seed: u64) -> (Run, Duration) {
    let start = Instant::now();
    let run = exploration::run(seed, false);
    (run, start.elapsed())
}

impl Replay {
    /// Prints the timeline; fails when the seed does.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let mut out = io::stdout().lock();
        let run = match self.what.parse() {
            Ok(seed) => exploration::run(seed, true),
            Err(_) => self.play()?,
        };
        for line in &run.timeline {
            writeln!(out, "{line}")?;
        }
        let days = run.simulated.as_secs_f64() / 86_400.0;
        let outcome =
            run.violation.as_ref().map_or("all that must hold has held".to_owned(), ToString::to_string);
        let what = match self.what.parse::<u64>() {
            Ok(seed) => format!("seed {seed}"),
            Err(_) => self.what,
        };
        writeln!(out, "{what}, {} events in {days:.1} days, log {}: {outcome}", run.events, run.hash)?;
        Ok(if run.violation.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn play(&self) -> anyhow::Result<Run> {
        let file = &self.what;
        let text = fs::read_to_string(file).with_context(|| {
            format!("{file} is neither a seed, which is a number, nor a script that can be read")
        })?;
        let played = Script::parse(&text).and_then(|script| script.play());
        played.with_context(|| format!("in {file}"))
    }
}
