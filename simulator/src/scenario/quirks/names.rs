//! The quirks, where each was seen, and which calls it can meet.

use serde::{Deserialize, Serialize};

use super::CallName;

/// Declares the quirks with their texts and parameters.
macro_rules! quirks {
    ($($(#[$doc:meta])* $name:ident = $text:literal [$($parameter:literal),*],)*) => {
        /// Something that Azure does now and then.
        ///
        /// "azure.md" in the sources below is the project's collection of facts; each of its lines names
        /// documentation or recorded traffic.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum QuirkName {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl QuirkName {
            /// Every quirk.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// How scenarios write it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// The parameters that it takes.
            #[must_use]
            pub const fn parameters(self) -> &'static [&'static str] {
                match self {
                    $(Self::$name => &[$($parameter),*],)*
                }
            }
        }
    };
}

quirks! {
    /// `upgrades` without an entry is null, and so is `agentPoolProfiles` of an upgrade profile
    /// (azure.md, "Reading answers").
    NullArrays = "nullArrays" [],
    /// The fields at `fields` are null.
    NullFields = "nullFields" ["fields"],
    /// The fields at `fields` are missing ("eTag may be absent" and the like in azure.md, "Reading answers").
    MissingFields = "missingFields" ["fields"],
    /// `upgrades` comes in any order (azure.md, "Reading answers").
    UnsortedUpgrades = "unsortedUpgrades" [],
    /// Resource ids differ in case from answer to answer (azure.md, "Reading answers").
    OtherCaseIds = "otherCaseIds" [],
    /// Neither cluster nor pools have an eTag (azure.md, "Reading answers").
    MissingETags = "missingETags" [],
    /// `currentKubernetesVersion` and `currentOrchestratorVersion` are missing.
    MissingCurrentVersions = "missingCurrentVersions" [],
    /// `powerState` is missing.
    MissingPowerState = "missingPowerState" [],
    /// Fields that no client knows yet (api-versions appear monthly: azure.md, "Versions of the API").
    UnknownFields = "unknownFields" [],
    /// Words that no client knows yet, provisioning states included (anything that is not final is progress:
    /// azure.md, "Reading answers").
    UnknownEnumWords = "unknownEnumWords" ["fields"],
    /// Numbers where the schema has strings of digits, as in `maxSurge`.
    NumbersForStrings = "numbersForStrings" [],
    /// Before each page of a list comes an empty one with a `nextLink` ("a page may be empty": azure.md).
    EmptyPages = "emptyPages" [],
    /// Pages of lists hold `size` items, 1 when absent.
    SmallPages = "smallPages" ["size"],
    /// Lists and reads show everything as it was `seconds` ago, 60 when absent: the cache in front of the
    /// resource provider.
    StaleReads = "staleReads" ["seconds"],
    /// Looks at an operation fail with 500, 502 and 504, JSON and HTML in turn (recorded: azure.md,
    /// "Reading answers").
    FailingPolls = "failingPolls" ["status", "html"],
    /// Reads fail with 503, JSON and HTML in turn.
    FailingReads = "failingReads" ["status", "html"],
    /// Writes fail with 503 before anything is done about them.
    FailingWrites = "failingWrites" ["status", "html"],
    /// Writes are carried out, and the gateway answers 504 (reliability R20: lost submissions).
    GatewayTimeouts = "gatewayTimeouts" ["status", "html"],
    /// The connection is cut before anything is done about the call.
    CutRequests = "cutRequests" [],
    /// The call is carried out, and the connection is cut before the answer (reliability R20).
    LostAnswers = "lostAnswers" [],
    /// Answers come `seconds` late, 30 when absent.
    Delays = "delays" ["seconds"],
    /// 429 with a Retry-After of `seconds`, 10 when absent (azure.md, "Throttling").
    Throttled = "throttled" ["seconds"],
    /// Writes are refused with 409 as busy although nothing is under way: with `code`, or
    /// `OperationNotAllowed` and `EtagMismatch` in turn (azure.md, "Reading answers").
    Busy = "busy" ["code"],
    /// A write with If-Match is refused with 412 (azure.md, "Reading answers").
    PreconditionFailed = "preconditionFailed" [],
    /// The body of a succeeded operation carries an error, with `code` and `message` if given (recorded:
    /// azure.md, "Reading answers").
    ErrorInSucceeded = "errorInSucceeded" ["code", "message"],
    /// The operation is preempted: it ends Succeeded, and not everything was done (azure.md, "Reading
    /// answers").
    Preemption = "preemption" [],
    /// The operation's URL is not found any more `seconds` after the operation began, at once when absent.
    ExpiredOperations = "expiredOperations" ["seconds"],
    /// The operation takes `factor` times as long, 5 when absent ("some upgrades take hours": azure.md).
    SlowOperations = "slowOperations" ["factor"],
    /// The operation makes no progress while the rule holds.
    StuckOperations = "stuckOperations" [],
}

impl QuirkName {
    /// Whether a rule with this quirk has to name fields.
    #[must_use]
    pub const fn needs_fields(self) -> bool {
        matches!(self, Self::NullFields | Self::MissingFields)
    }

    /// Whether the quirk has anything to do with this call.
    #[must_use]
    pub const fn meets(self, call: CallName) -> bool {
        match self {
            Self::NullArrays | Self::UnsortedUpgrades => call.is_profile(),
            Self::NullFields
            | Self::MissingFields
            | Self::OtherCaseIds
            | Self::UnknownFields
            | Self::UnknownEnumWords => call.shows_documents() || call.is_profile(),
            Self::MissingETags
            | Self::MissingCurrentVersions
            | Self::MissingPowerState
            | Self::NumbersForStrings => call.shows_documents(),
            Self::EmptyPages | Self::SmallPages => call.is_list(),
            Self::StaleReads => call.shows_documents() && !call.is_mutation() || call.is_profile(),
            Self::FailingPolls => call.is_poll(),
            Self::FailingReads => !call.is_mutation(),
            Self::FailingWrites | Self::GatewayTimeouts => call.is_mutation(),
            Self::Busy => call.is_mutation() && !call.is_managers(),
            Self::CutRequests | Self::LostAnswers | Self::Delays | Self::Throttled => true,
            Self::PreconditionFailed => call.is_conditional(),
            Self::ErrorInSucceeded
            | Self::Preemption
            | Self::ExpiredOperations
            | Self::SlowOperations
            | Self::StuckOperations => call.starts_operation(),
        }
    }
}
