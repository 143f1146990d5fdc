//! Mistakes that can be planted, one at a time, to measure what the simulation finds (`cargo sim
//! mutants`). Only the simulated build knows how; in every other build `planted` is `false` as a
//! constant, and the compiler drops the mistakes.

/// A mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// The idempotency key of a job is not stored with it.
    KeyForgotten,
    /// The limit on jobs that wait is not looked at.
    AdmitsAll,
    /// A job that never came to be goes on to count as one that has not ended.
    WithdrawalForgotten,
    /// An append whose outcome is not known is taken for done.
    AppendNotRepeated,
    /// A back-off is recorded and not waited for.
    BackoffForgotten,
    /// Compile calls are tried again without a bound.
    RetriesForever,
    /// A kernel that starts does not take over jobs in Executing.
    RecoveryForgetsExecuting,
    /// A kernel that starts does not take over what ended jobs still owe.
    RecoveryForgetsEnded,
    /// A kernel that starts does not set the deadlines of jobs that run.
    RecoveryForgetsDeadlines,
    /// A kernel that starts serves nobody until it has heard of its devices.
    RecoveryWaitsForDevices,
    /// A kernel that starts takes the slots of running jobs for free.
    SlotsForgottenOnRecovery,
    /// A slot is free when its job has ended, though the device goes on.
    SlotFreedAtEnd,
    /// A cancel wins though the counts are in hand.
    CancelAfterCounts,
    /// Compile slots are never given back.
    CompileSlotLeaks,
    /// A watch that is resumed begins with the last event again.
    WatchRepeats,
    /// Every execution of a job has the same fencing token.
    TokensStand,
    /// The device is asked before the intent is stored.
    FiresBeforeIntent,
    /// What a compiler answers is not looked at.
    CircuitsUnchecked,
    /// Counts need not sum to the shots.
    CountsUnchecked,
    /// A lost answer is taken for no run.
    DoubtIsNoRun,
    /// An outcome that nobody knows is booked as not run, and tried again.
    UnknownIsNoRun,
    /// A job is completed before its results are written.
    ResultsLater,
    /// What is written is not read back.
    NotReadBack,
    /// Shots of an answer that came too late are booked as not run.
    LateAnswerIsNoRun,
    /// That a driver does not know an execution is taken for proof, without a tombstone.
    NotFoundIsProof,
    /// A driver whose memory is younger than the intent is believed.
    YoungMemoryIsProof,
    /// A driver-manager that was away once is away for ever.
    DevicesStayLost,
    /// An unknown outcome is run again also where shots cost money.
    PaidRunsAgain,
    /// A cancel says that nothing started, though a device was asked.
    ReceiptGuessed,
    /// The least urgent job goes first.
    UrgentGoLast,
    /// How many jobs of a tenant run is not looked at.
    TenantLimitForgotten,
    /// Of a class that a job is for, only what its circuit needs is looked at.
    ClassForgotten,
    /// What a client requires of a device beyond the class is not looked at.
    RequirementsForgotten,
    /// For a class, a program is compiled only to what all its devices have.
    CommonGroundOnly,
    /// A slot that is given back is given on when somebody comes, not at once.
    SlotIdles,
    /// System-api is shown a job's state as it is, also when that goes back.
    ShownGoesBack,
    /// A commit on disk is answered without having been synced.
    CommitNotSynced,
    /// Whoever waits for a commit on disk is told that it worked before it did.
    ToldBeforeCommit,
    /// After a failure the store's engine is not opened again.
    EngineNotReopened,
    /// Where the rows of idempotency keys lie is not found out when the store is opened.
    KeysNotIndexed,
    /// On disk the idempotency key of a job comes in a commit of its own, after the job.
    KeyInAnotherCommit,
    /// On disk events come in a commit of their own, after the head that knows them.
    EventsInAnotherCommit,
    /// A reservation whose time has passed goes on.
    ReservationsNeverExpire,
    /// A kernel that starts does not take over reservations.
    RecoveryForgetsReservations,
    /// A job that has no slot reserved runs in one that is.
    ReservedSlotsAreShared,
    /// Whoever watches a job is not told that it has changed.
    WatchersAreNotTold,
    /// The manifest is written before the results that it names.
    ManifestBeforeResults,
    /// A job that waits out a back-off keeps its place to compile or to store.
    BackOffKeepsItsPlace,
    /// A kernel that was replaced tries to write for ever.
    FencedGoesOn,
    /// A key that stands for another request is answered with that one's job.
    KeyOfAnotherRequest,
    /// Idempotency keys are not scoped by tenant.
    KeysOfAllTenants,
    /// The repetition of a request that is stored needs room like a new one.
    RepetitionIsRefused,
    /// When a neighbour wants to be asked again is not looked at.
    WishOfBusyIgnored,
    /// Waiting for the store or QFS spends the tries of the compiler.
    StoreSpendsTries,
    /// There is one try more than the settings say.
    OneTryMore,
    /// A back-off does not become longer.
    BackOffStands,
    /// A device that says that it is not ready is asked to run a job.
    DeviceNeedNotBeReady,
    /// Fencing tokens do not tell which kernel they are of.
    TokensOfOneEpoch,
    /// A call to a neighbour has no bound on this side.
    CallsWaitForEver,
    /// That a compiler's answer is for another program is not noticed.
    CircuitOfAnother,
    /// An answer that cannot be right is paid for, and tried again.
    NonsenseRunsAgain,
    /// A device that is busy fails the job.
    BusyIsFinal,
    /// A run that takes too long is given up, and nobody tells the device.
    GivenUpAndNotStopped,
    /// Counts that have an object of their own are named before it is on stable storage.
    LargeCountsUnsynced,
    /// The manifest does not name the object with the counts.
    LargeCountsUnlisted,
    /// Who cancels is told of no stop, though the driver has confirmed it.
    ReceiptModest,
    /// Who cancels is not told what was spent.
    ReceiptWithoutCost,
    /// What a device said last holds, however long ago it was asked.
    OldWordsHold,
    /// Of two jobs that are equally urgent, the one with the later deadline goes first.
    LateDeadlineGoesFirst,
    /// A device that is gone from the list counts as it did before.
    GoneCountsAsThere,
    /// A driver-manager that cannot be asked counts as it did before.
    UnreachableCountsAsThere,
    /// A device that is not ready any more when the circuit comes fails the job.
    NotReadyIsFinal,
    /// After a job's end nobody listens for the answer of its call.
    LateAnswerUnheard,
    /// A cancel is answered when the device confirms, however long that takes.
    ReceiptNeverDue,
    /// A kernel that starts does not wait out the back-offs of the last one.
    RecoveryForgetsBackOffs,
    /// However long a job has waited, it is no more urgent.
    AgeCountsNothing,
    /// However long an execution goes on, it has its whole time left.
    ExecutionHasNoBound,
    /// That the circuit is gone when a job completes is not looked at.
    DamagedCircuitAccepted,
    /// When its time is over an execution is settled, and the driver is not asked any more.
    SettledWithoutAsking,
    /// A device that was held back once is held back for ever.
    HeldForEver,
    /// A device that goes away again and again is given work each time it is back.
    HoldForgotten,
    /// That a device drains keeps no job from it.
    DrainingIsIgnored,
    /// A kernel that starts does not take over which devices drain.
    RecoveryForgetsDraining,
    /// A device that was lost often enough is held back after each later loss, however rare.
    LossesNeverAge,
    /// The device draws a seed though the job has one.
    SeedNotSent,
    /// All tenants have the same weight.
    WeightsAreIgnored,
    /// What a tenant has used of a device counts for nothing.
    UseIsNotCharged,
    /// An ended job is forgotten though its key is still to be found.
    KeyedAreForgotten,
    /// system-api's stream begins with the first event, whatever its client has seen.
    StreamBeginsAnew,
    /// system-api is told that a cancel was accepted when it was too late.
    LateCancelAccepted,
    /// Who repeats a request is told that it has made the job.
    RepetitionNotTold,
    /// A status does not tell how often a stage was tried.
    StatusForgetsTries,
    /// Whatever was tried too often, it is the device that is blamed.
    DeviceIsBlamed,
    /// The key of a reservation is not looked for.
    ReservationKeyForgotten,
    /// How many slots a tenant has reserved is not looked at.
    TenantReservesAll,
    /// However long QFS is away, it is waited for.
    PersistHasNoBound,
    /// A history is told without the shots that were fired for nothing.
    LedgerForgetsWaste,
    /// Why a job ended is tried to be written down once.
    ReportGivenUpAtOnce,
    /// What a device says beside the counts is not kept.
    MetadataIsDropped,
    /// Neighbours are not told how long an answer is waited for.
    DeadlineNotSent,
    /// Who is turned away is not told when to come again.
    ComeAgainNotSaid,
}

impl Bug {
    /// Every mistake, by its name.
    pub const ALL: [(&str, Self); 101] = [
        ("key-forgotten", Self::KeyForgotten),
        ("admits-all", Self::AdmitsAll),
        ("withdrawal-forgotten", Self::WithdrawalForgotten),
        ("append-not-repeated", Self::AppendNotRepeated),
        ("backoff-forgotten", Self::BackoffForgotten),
        ("retries-forever", Self::RetriesForever),
        ("recovery-forgets-executing", Self::RecoveryForgetsExecuting),
        ("recovery-forgets-ended", Self::RecoveryForgetsEnded),
        ("recovery-forgets-deadlines", Self::RecoveryForgetsDeadlines),
        ("recovery-waits-for-devices", Self::RecoveryWaitsForDevices),
        (
            "slots-forgotten-on-recovery",
            Self::SlotsForgottenOnRecovery,
        ),
        ("slot-freed-at-end", Self::SlotFreedAtEnd),
        ("cancel-after-counts", Self::CancelAfterCounts),
        ("compile-slot-leaks", Self::CompileSlotLeaks),
        ("watch-repeats", Self::WatchRepeats),
        ("tokens-stand", Self::TokensStand),
        ("fires-before-intent", Self::FiresBeforeIntent),
        ("circuits-unchecked", Self::CircuitsUnchecked),
        ("counts-unchecked", Self::CountsUnchecked),
        ("doubt-is-no-run", Self::DoubtIsNoRun),
        ("unknown-is-no-run", Self::UnknownIsNoRun),
        ("results-later", Self::ResultsLater),
        ("not-read-back", Self::NotReadBack),
        ("late-answer-is-no-run", Self::LateAnswerIsNoRun),
        ("not-found-is-proof", Self::NotFoundIsProof),
        ("young-memory-is-proof", Self::YoungMemoryIsProof),
        ("devices-stay-lost", Self::DevicesStayLost),
        ("paid-runs-again", Self::PaidRunsAgain),
        ("receipt-guessed", Self::ReceiptGuessed),
        ("urgent-go-last", Self::UrgentGoLast),
        ("tenant-limit-forgotten", Self::TenantLimitForgotten),
        ("class-forgotten", Self::ClassForgotten),
        ("requirements-forgotten", Self::RequirementsForgotten),
        ("common-ground-only", Self::CommonGroundOnly),
        ("slot-idles", Self::SlotIdles),
        ("shown-goes-back", Self::ShownGoesBack),
        ("commit-not-synced", Self::CommitNotSynced),
        ("told-before-commit", Self::ToldBeforeCommit),
        ("engine-not-reopened", Self::EngineNotReopened),
        ("keys-not-indexed", Self::KeysNotIndexed),
        ("key-in-another-commit", Self::KeyInAnotherCommit),
        ("events-in-another-commit", Self::EventsInAnotherCommit),
        ("reservations-never-expire", Self::ReservationsNeverExpire),
        (
            "recovery-forgets-reservations",
            Self::RecoveryForgetsReservations,
        ),
        ("reserved-slots-are-shared", Self::ReservedSlotsAreShared),
        ("watchers-are-not-told", Self::WatchersAreNotTold),
        ("manifest-before-results", Self::ManifestBeforeResults),
        ("back-off-keeps-its-place", Self::BackOffKeepsItsPlace),
        ("fenced-goes-on", Self::FencedGoesOn),
        ("key-of-another-request", Self::KeyOfAnotherRequest),
        ("keys-of-all-tenants", Self::KeysOfAllTenants),
        ("repetition-is-refused", Self::RepetitionIsRefused),
        ("wish-of-busy-ignored", Self::WishOfBusyIgnored),
        ("store-spends-tries", Self::StoreSpendsTries),
        ("one-try-more", Self::OneTryMore),
        ("back-off-stands", Self::BackOffStands),
        ("device-need-not-be-ready", Self::DeviceNeedNotBeReady),
        ("tokens-of-one-epoch", Self::TokensOfOneEpoch),
        ("calls-wait-for-ever", Self::CallsWaitForEver),
        ("circuit-of-another", Self::CircuitOfAnother),
        ("nonsense-runs-again", Self::NonsenseRunsAgain),
        ("busy-is-final", Self::BusyIsFinal),
        ("given-up-and-not-stopped", Self::GivenUpAndNotStopped),
        ("old-words-hold", Self::OldWordsHold),
        ("late-deadline-goes-first", Self::LateDeadlineGoesFirst),
        ("gone-counts-as-there", Self::GoneCountsAsThere),
        (
            "unreachable-counts-as-there",
            Self::UnreachableCountsAsThere,
        ),
        ("not-ready-is-final", Self::NotReadyIsFinal),
        ("receipt-modest", Self::ReceiptModest),
        ("receipt-without-cost", Self::ReceiptWithoutCost),
        ("large-counts-unsynced", Self::LargeCountsUnsynced),
        ("large-counts-unlisted", Self::LargeCountsUnlisted),
        ("late-answer-unheard", Self::LateAnswerUnheard),
        ("receipt-never-due", Self::ReceiptNeverDue),
        ("recovery-forgets-back-offs", Self::RecoveryForgetsBackOffs),
        ("age-counts-nothing", Self::AgeCountsNothing),
        ("execution-has-no-bound", Self::ExecutionHasNoBound),
        ("damaged-circuit-accepted", Self::DamagedCircuitAccepted),
        ("settled-without-asking", Self::SettledWithoutAsking),
        ("held-for-ever", Self::HeldForEver),
        ("hold-forgotten", Self::HoldForgotten),
        ("draining-is-ignored", Self::DrainingIsIgnored),
        ("recovery-forgets-draining", Self::RecoveryForgetsDraining),
        ("losses-never-age", Self::LossesNeverAge),
        ("seed-not-sent", Self::SeedNotSent),
        ("weights-are-ignored", Self::WeightsAreIgnored),
        ("use-is-not-charged", Self::UseIsNotCharged),
        ("keyed-are-forgotten", Self::KeyedAreForgotten),
        ("stream-begins-anew", Self::StreamBeginsAnew),
        ("late-cancel-accepted", Self::LateCancelAccepted),
        ("repetition-not-told", Self::RepetitionNotTold),
        ("status-forgets-tries", Self::StatusForgetsTries),
        ("device-is-blamed", Self::DeviceIsBlamed),
        ("reservation-key-forgotten", Self::ReservationKeyForgotten),
        ("tenant-reserves-all", Self::TenantReservesAll),
        ("persist-has-no-bound", Self::PersistHasNoBound),
        ("ledger-forgets-waste", Self::LedgerForgetsWaste),
        ("report-given-up-at-once", Self::ReportGivenUpAtOnce),
        ("metadata-is-dropped", Self::MetadataIsDropped),
        ("deadline-not-sent", Self::DeadlineNotSent),
        ("come-again-not-said", Self::ComeAgainNotSaid),
    ];
}

/// Whether this mistake is planted: never, outside of the simulated build.
#[cfg(not(madsim))]
pub(crate) const fn planted(_: Bug) -> bool {
    false
}

#[cfg(madsim)]
static PLANTED: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(usize::MAX);

/// Whether this mistake is planted.
#[cfg(madsim)]
pub(crate) fn planted(bug: Bug) -> bool {
    PLANTED.load(std::sync::atomic::Ordering::Relaxed) == bug as usize
}

/// Plants a mistake in this process, in place of any other.
#[cfg(madsim)]
pub fn plant(bug: Bug) {
    PLANTED.store(bug as usize, std::sync::atomic::Ordering::Relaxed);
}

/// Takes out what is planted in this process.
#[cfg(madsim)]
pub fn weed() {
    PLANTED.store(usize::MAX, std::sync::atomic::Ordering::Relaxed);
}
