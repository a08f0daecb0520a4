//! Which AKSClusters a command is about: by name, by label, of one namespace or of all.

use super::{
    hub::{Found, HubArgs},
    output::complain,
};

/// Selects AKSClusters; all of the namespace without anything.
#[derive(clap::Args)]
pub(super) struct Selection {
    /// AKSClusters; all of the namespace without a name.
    clusters: Vec<String>,
    /// Only those with these labels, for example ring=canary.
    #[arg(short = 'l', long)]
    selector: Option<String>,
    /// Those of all namespaces.
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,
    #[command(flatten)]
    hub: HubArgs,
}

impl Selection {
    /// The AKSClusters that are meant, by namespace and name.
    pub(super) async fn find(&self) -> anyhow::Result<Vec<Found>> {
        let hub = self.hub.connect().await?;
        let found = hub.find_clusters(self.selector.as_deref(), self.all_namespaces).await?;
        let place =
            if self.all_namespaces { "the hub".to_owned() } else { format!("namespace {}", hub.namespace) };
        if found.is_empty() && self.clusters.is_empty() {
            complain(&format!("tidegate: {}", self.nothing(&place)));
        }
        self.named(found, &place)
    }

    /// How a cluster is called in a table.
    pub(super) fn title(&self, namespace: &str, name: &str) -> String {
        if self.all_namespaces { format!("{namespace}/{name}") } else { name.to_owned() }
    }

    fn named(&self, mut found: Vec<Found>, place: &str) -> anyhow::Result<Vec<Found>> {
        let missing: Vec<&str> = self
            .clusters
            .iter()
            .filter(|name| found.iter().all(|found| found.name != **name))
            .map(String::as_str)
            .collect();
        if missing.is_empty() {
            found.retain(|found| self.clusters.is_empty() || self.clusters.contains(&found.name));
            return Ok(found);
        }
        let mut known: Vec<&str> = found.iter().map(|found| found.name.as_str()).collect();
        known.dedup();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let (missing, with) = (missing.join(", "), self.with_labels());
        anyhow::bail!("{place} has no AKSCluster {missing}{with}; there are: {known}")
    }

    fn nothing(&self, place: &str) -> String {
        let elsewhere = if self.all_namespaces { "" } else { "; -n names another namespace, -A shows all" };
        format!("{place} has no AKSCluster{}{elsewhere}", self.with_labels())
    }

    fn with_labels(&self) -> String {
        self.selector.as_ref().map(|labels| format!(" with labels {labels}")).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Command {
        #[command(flatten)]
        selection: Selection,
    }

    fn selected(words: &str, known: &[&str]) -> Result<Vec<String>, String> {
        let words = format!("tidegate {words}");
        let selection = Command::parse_from(words.split_whitespace()).selection;
        let found = |name: &&str| {
            let (namespace, name) = name.split_once('/').unwrap();
            let cluster = Err("does not matter here".to_owned());
            Found { namespace: namespace.to_owned(), name: name.to_owned(), cluster }
        };
        let found = selection.named(known.iter().map(found).collect(), "namespace a");
        found
            .map(|found| found.iter().map(|found| selection.title(&found.namespace, &found.name)).collect())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn takes_what_is_named_and_says_what_is_not_there() {
        let known = ["a/weu-1", "a/weu-2", "b/weu-1"];
        assert_eq!(selected("", &known[..2]).unwrap(), ["weu-1", "weu-2"]);
        assert_eq!(selected("-A weu-1", &known).unwrap(), ["a/weu-1", "b/weu-1"]);
        assert_eq!(
            selected("weu-9 weu-1 neu", &known[..2]).unwrap_err(),
            "namespace a has no AKSCluster weu-9, neu; there are: weu-1, weu-2"
        );
        assert!(selected("-l ring=canary", &[]).unwrap().is_empty(), "no cluster is an answer, too");
        let nothing = |words: &str| {
            let words = format!("tidegate {words}");
            Command::parse_from(words.split_whitespace()).selection.nothing("the hub")
        };
        assert_eq!(nothing("-A"), "the hub has no AKSCluster");
        assert!(nothing("-l a=b").starts_with("the hub has no AKSCluster with labels a=b; -n names another"));
        let none = selected("weu-1 -l ring=canary", &[]).unwrap_err();
        assert!(none.ends_with("has no AKSCluster weu-1 with labels ring=canary; there are: none"), "{none}");
    }
}
