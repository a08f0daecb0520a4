//! What the replay of a recording found, and how it is shown.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    compare::{Comparison, Difference},
    exceptions::EXCEPTIONS,
};

/// The findings of one recording.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) name: String,
    requests: usize,
    keys: usize,
    equal_keys: usize,
    /// Missing keys that an exception covers.
    excepted_keys: usize,
    values: usize,
    /// Differences that no exception covers, with the request that showed each first and how often it was seen.
    differences: BTreeMap<Difference, (String, usize)>,
    extra: BTreeSet<String>,
    /// Requests to other services.
    left_out: BTreeMap<String, usize>,
    /// Indices of the exceptions that were needed.
    pub(crate) needed: BTreeSet<usize>,
}

impl Report {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    pub(crate) fn leave_out(&mut self, service: String) {
        *self.left_out.entry(service).or_default() += 1;
    }

    pub(crate) fn add(&mut self, request: &str, comparison: Comparison) {
        let Comparison { keys, values, differences, extra } = comparison;
        self.requests += 1;
        self.keys += keys;
        self.values += values;
        self.extra.extend(extra);
        let is_key = |difference: &&Difference| matches!(difference, Difference::Key(_));
        self.equal_keys += keys - differences.iter().filter(is_key).count();
        for difference in differences {
            let exception = EXCEPTIONS.iter().position(|exception| exception.covers(&self.name, &difference));
            if let Some(index) = exception {
                self.needed.insert(index);
                self.excepted_keys += usize::from(is_key(&&difference));
            } else {
                self.differences.entry(difference).or_insert((request.to_owned(), 0)).1 += 1;
            }
        }
    }

    /// Adds another report to this one.
    pub(crate) fn include(&mut self, other: &Self) {
        self.requests += other.requests;
        self.keys += other.keys;
        self.equal_keys += other.equal_keys;
        self.excepted_keys += other.excepted_keys;
        self.values += other.values;
    }

    /// Percent of the recorded keys that are there or known to be missing.
    fn percent(&self) -> f64 {
        percent(self.equal_keys + self.excepted_keys, self.keys)
    }

    /// Why the recording does not pass: every difference, a missing key included, is an exception or a fault.
    pub(crate) fn problems(&self) -> impl Iterator<Item = String> {
        self.differences.iter().map(|(difference, (request, _))| {
            format!("{}: {difference:?} is no exception, first at {request}", self.name)
        })
    }

    pub(crate) fn print(&self) {
        println!(
            "{:45} {:4} requests {:6} keys {:6} equal {:6.1} % ({:5.1} % without exceptions) {:5} values",
            self.name,
            self.requests,
            self.keys,
            self.equal_keys,
            self.percent(),
            percent(self.equal_keys, self.keys),
            self.values,
        );
        for (service, requests) in &self.left_out {
            println!("    left out: {requests} of {service}");
        }
        for (difference, (request, times)) in &self.differences {
            println!("    {difference:?}, {times} times, first at {request}");
        }
        if !self.extra.is_empty() {
            let extra = self.extra.iter().map(String::as_str).collect::<Vec<_>>();
            println!("    only here: {}", extra.join(" "));
        }
    }
}

fn percent(part: usize, whole: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a few thousand keys")]
    let (part, whole) = (part as f64, whole as f64);
    if whole == 0.0 { 100.0 } else { 100.0 * part / whole }
}
