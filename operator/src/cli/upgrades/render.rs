//! What is offered, for people: a line each control plane and node pool.

use engine::Support;

use super::{
    super::{
        image::{ImageAnswer, age, os},
        output::{brief, table as columns},
    },
    answer::{ClusterAnswer, Offered, PoolAnswer, Upgradable, VersionAnswer},
};

/// A line each control plane and pool; `wide` with every version, and images by their whole names.
pub(super) fn table(
    answers: &[ClusterAnswer],
    title: impl Fn(&ClusterAnswer) -> String,
    wide: bool,
) -> String {
    let mut rows = Vec::new();
    let mut notes = String::new();
    for answer in answers {
        let title = title(answer);
        match &answer.offered {
            Some(offered) => {
                rows.extend(lines(&title, answer, offered, wide));
                if wide {
                    notes.push_str(&remarks(&title, answer, offered));
                }
            }
            None => rows.push(unknown(title, answer, wide)),
        }
    }
    let mut header = vec!["CLUSTER", "POOL", "VERSION", "SUPPORT", "OFFERED", "IMAGE", "NEWEST IMAGE"];
    if wide {
        header.insert(2, "OS");
    }
    columns(&header, rows) + &notes
}

/// What a person should know beside the table.
fn remarks(title: &str, answer: &ClusterAnswer, offered: &Offered) -> String {
    let stale = answer
        .standing
        .is_stale()
        .then(|| format!("{}; what is shown was last seen before", answer.standing.sentence()));
    let read = answer.standing.offers_read();
    let remarks = stale.iter().chain(&read).chain(&offered.warnings);
    remarks.map(|remark| format!("!  {title}: {remark}\n")).collect()
}

fn lines(title: &str, answer: &ClusterAnswer, offered: &Offered, wide: bool) -> Vec<Vec<String>> {
    let none = || "–".to_owned();
    let plane = &offered.control_plane;
    let mut words = versions(plane, wide);
    if answer.standing.is_stale() {
        words.push_str(&format!("; {}", answer.standing.words()));
    }
    let control_plane = Line {
        pool: "(control plane)".to_owned(),
        os: none(),
        upgradable: plane,
        words,
        image: none(),
        newest: none(),
    };
    let pools = offered.pools.iter().map(|pool| Line {
        pool: pool.name.clone(),
        os: os(&pool.os_type, &pool.os_sku),
        upgradable: &pool.upgradable,
        words: versions(&pool.upgradable, wide),
        image: image(pool, if wide { long } else { ImageAnswer::short }),
        newest: image(pool, if wide { ImageAnswer::newest_long } else { ImageAnswer::newest_short }),
    });
    std::iter::once(control_plane).chain(pools).map(|line| line.cells(title, wide)).collect()
}

struct Line<'a> {
    pool: String,
    os: String,
    upgradable: &'a Upgradable,
    words: String,
    image: String,
    newest: String,
}

impl Line<'_> {
    fn cells(self, title: &str, wide: bool) -> Vec<String> {
        let Self { pool, os, upgradable, words, image, newest } = self;
        let os = wide.then_some(os);
        let version = [upgradable.version.to_string(), upgradable.support.to_string()];
        let names = [title.to_owned(), pool].into_iter().chain(os);
        names.chain(version).chain([words, image, newest]).collect()
    }
}

/// Why nothing is known, in place of what is offered.
fn unknown(title: String, answer: &ClusterAnswer, wide: bool) -> Vec<String> {
    let none = |count: usize| std::iter::repeat_n("–".to_owned(), count);
    let error = answer.standing.error.clone().unwrap_or_default();
    let before = none(if wide { 4 } else { 3 });
    std::iter::once(title)
        .chain(before)
        .chain([if wide { error } else { brief(&error) }])
        .chain(none(2))
        .collect()
}

fn versions(upgradable: &Upgradable, all: bool) -> String {
    let shown = if all { &upgradable.offered } else { &upgradable.newest };
    let words: Vec<String> = shown.iter().map(version).collect();
    match (words.is_empty(), &upgradable.hindrance) {
        (true, Some(why)) => format!("none: {why}"),
        (true, None) => "none".to_owned(),
        (false, Some(why)) => format!("{}; but {why}", words.join(", ")),
        (false, None) => words.join(", "),
    }
}

fn version(offer: &VersionAnswer) -> String {
    if offer.support == Support::Unknown {
        return offer.version.to_string();
    }
    format!("{} ({})", offer.version, offer.support)
}

fn long(image: &ImageAnswer) -> String {
    format!("{}, {}", image.name, age(image.age_days))
}

fn image(pool: &PoolAnswer, words: fn(&ImageAnswer) -> String) -> String {
    pool.image.as_ref().map_or_else(|| "unknown".to_owned(), words)
}
