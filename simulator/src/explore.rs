//! The commands `explore` and `replay`.

use std::{
    fmt, fs,
    io::{self, Write as _},
    num::NonZeroUsize,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use anyhow::Context as _;
use nix::time::{ClockId, clock_gettime};
use simulator::exploration::{self, Kind, Run, Script, Tally};

/// Which seeds to run.
#[derive(Debug, clap::Args)]
pub(crate) struct Explore {
    /// How many seeds.
    #[arg(long, default_value_t = 500)]
    seeds: u64,
    /// The first one.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// How many seeds at once; as many as there are cores by default.
    #[arg(long)]
    jobs: Option<NonZeroUsize>,
    /// Go on after a seed that failed.
    #[arg(long)]
    keep_going: bool,
    /// Tell how many seeds have met each thing that can be drawn, done or waited on.
    #[arg(long)]
    met: bool,
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
        let mut sum = Sum::default();
        for (run, took) in self.runs() {
            sum.add(&run, took);
            if let Some(violation) = &run.violation {
                writeln!(out, "seed {}: {violation}", run.seed)?;
                writeln!(out, "  tell what happened: tidegate-simulator replay {}", run.seed)?;
                if !self.keep_going {
                    break;
                }
            }
        }
        if self.met {
            for kind in Kind::ALL {
                for (name, seeds) in sum.met.of_kind(kind) {
                    writeln!(out, "{kind:?}: {name}: {seeds} seeds")?;
                }
            }
        }
        writeln!(out, "{sum}")?;
        Ok(if sum.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// What came of each seed, as they come; each runs on one core, several beside each other.
    fn runs(&self) -> mpsc::IntoIter<(Run, Duration)> {
        let jobs =
            self.jobs.map_or_else(|| thread::available_parallelism().map_or(1, usize::from), usize::from);
        let (next, until) = (Arc::new(AtomicU64::new(self.from)), self.from.saturating_add(self.seeds));
        let (sender, results) = mpsc::channel();
        for _ in 0..jobs {
            let (next, sender) = (next.clone(), sender.clone());
            thread::spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= until || sender.send(timed(seed)).is_err() {
                        return;
                    }
                }
            });
        }
        results.into_iter()
    }
}

/// What came of all seeds.
#[derive(Default)]
struct Sum {
    seeds: u64,
    failed: u64,
    mutations: u64,
    simulated: Duration,
    /// What it took of a core.
    spent: Duration,
    slowest: (Duration, u64),
    met: Tally,
}

impl Sum {
    fn add(&mut self, run: &Run, took: Duration) {
        self.seeds += 1;
        self.failed += u64::from(run.violation.is_some());
        self.mutations += run.mutations;
        self.met.add_seed(&run.met);
        self.simulated += run.simulated;
        self.spent += took;
        self.slowest = self.slowest.max((took, run.seed));
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seeds, failed, mutations, simulated, spent, slowest: (longest, slowest), met: _ } = self;
        let (days, seconds) = (simulated.as_secs_f64() / 86_400.0, spent.as_secs_f64());
        let factor = simulated.as_secs_f64() / seconds.max(0.001);
        write!(
            f,
            "{seeds} seeds, {failed} failed; {mutations} changes asked of Azure; {days:.0} days of simulated time in \
             {seconds:.0} s of one core: {factor:.0} times real time; the slowest is seed {slowest} with {} ms",
            longest.as_millis(),
        )
    }
}

/// A run, and what it took of a core: not of the clock, which goes on while others have the core.
fn timed(seed: u64) -> (Run, Duration) {
    let before = spent();
    let run = exploration::run(seed, false);
    (run, spent().saturating_sub(before))
}

/// The time that this thread has had of a core.
fn spent() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("every thread has such a clock").into()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_run_takes_of_a_core_is_not_what_it_waits() {
        let before = spent();
        thread::sleep(Duration::from_millis(300));
        assert!(spent() - before < Duration::from_millis(200), "a thread that sleeps has no core");
        let (run, took) = timed(3);
        assert!(run.events > 0 && took > Duration::ZERO, "{took:?}");
    }
}
