//! `tidegate crds`.

use super::output;

/// Prints the definitions as a YAML stream.
pub(super) fn print() -> anyhow::Result<()> {
    for definition in crds::definitions() {
        print_document(&serde_saphyr::to_string(&definition)?);
    }
    Ok(())
}

fn print_document(yaml: &str) {
    output::print(&format!("---\n{yaml}"));
}
