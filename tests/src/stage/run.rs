//! Runs tests on a stage: one on a stage of its own, or several of a file on one that they share.

use std::{panic::AssertUnwindSafe, sync::LazyLock};

use anyhow::Result;
use futures::FutureExt as _;
use tokio::{runtime::Runtime, sync::OnceCell};

use super::{Setup, Stage};

impl Stage {
    /// Runs a test on a stage of its own, and sees that the operator ends well and has logged no
    /// error and no secret.
    ///
    /// # Errors
    /// When the test fails, with a picture of the stage on standard error.
    pub async fn run(setup: Setup, test: impl AsyncFnOnce(&Self) -> Result<()>) -> Result<()> {
        let stage = Self::start(setup).await?;
        stage.observed(test).await?;
        stage.finish().await
    }

    /// Runs a test or a part of one, and shows what everything looked like if it fails.
    ///
    /// # Errors
    /// When it fails, with a picture of the stage on standard error.
    pub async fn observed(&self, test: impl AsyncFnOnce(&Self) -> Result<()>) -> Result<()> {
        let outcome = AssertUnwindSafe(test(self)).catch_unwind().await;
        if !matches!(outcome, Ok(Ok(()))) {
            self.keep();
            eprintln!("{}", self.picture().await);
            eprintln!("logs and data are kept in {}", self.folder().display());
        }
        match outcome {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

/// A stage for all tests of a file that do not disturb each other; it ends with the process.
///
/// It has a runtime of its own: that of a `#[tokio::test]` ends with the test.
pub struct Shared {
    setup: fn() -> Setup,
    runtime: LazyLock<Runtime>,
    stage: OnceCell<Stage>,
}

impl Shared {
    /// A stage that starts with the first test.
    #[must_use]
    pub const fn new(setup: fn() -> Setup) -> Self {
        let runtime = || Runtime::new().expect("a runtime can be made");
        Self { setup, runtime: LazyLock::new(runtime), stage: OnceCell::const_new() }
    }

    /// Runs a test on it.
    ///
    /// # Errors
    /// When the stage does not start, the test fails, or the operator has logged an error or a
    /// secret.
    pub fn run(&'static self, test: impl AsyncFnOnce(&'static Stage) -> Result<()>) -> Result<()> {
        self.runtime.block_on(async {
            let stage = self.stage.get_or_try_init(|| Stage::start((self.setup)())).await?;
            stage.observed(async |_| test(stage).await).await?;
            stage.check_log()
        })
    }
}
