// SPDX-License-Identifier: BSD-3-Clause
// The models of each slot: stored, activated, rolled back; every change one snapshot, one audit line.
#pragma once

#include "config/config.h"
#include "control/audit/audit.h"
#include "control/registry/checker.h"
#include "control/registry/failure.h"
#include "control/registry/overrides.h"
#include "control/registry/report.h"
#include "control/registry/store.h"
#include "control/registry/trial_counts.h"
#include "control/registry/types.h"
#include "control/registry/verdict_ledger.h"
#include "dataplane/publisher.h"
#include "dataplane/snapshot.h"
#include "dataplane/snapshot_build.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace weir::control {

struct PushOptions {
    bool activate = false;
    bool allow_older = false;
    Source source = Source::pushed;
};

/// A slot's change from one model to another; none stands for "no model".
struct Activation {
    std::optional<ModelInfo> from;
    std::optional<ModelInfo> to;
    std::uint64_t generation = 0;
    std::vector<std::string> warnings;
};

/// Where a model is to stand.
struct StageRequest {
    ModelKey key;                 ///< version 0: the newest stored
    Stage stage = Stage::shadow;  ///< verified, shadow, canary or active
    std::uint32_t permyriad = 0;  ///< canary: share of flows in 1/10000, 1…10000
    bool override_bar = false;    ///< although a guardrail rolled it back; lifts the bar
};

/// A slot's models in use, for the judge of guardrails and for readers.
struct SlotUse {
    std::optional<ModelInfo> active;
    std::uint8_t block = 0;
    bool judged = false;  ///< the active model is on probation
    std::vector<TrialView> trials;
    bool stale = false;
    double age_s = 0.0;  ///< since the active model came, or the last contact, whichever decides
};

/// A rule in force.
struct RuleInForce {
    std::string slot;
    std::string cls;
    config::ClassRule rule;
    bool overridden = false;
};

/// An override that was set.
struct OverrideOutcome {
    Override override;
    bool replaced = false;  ///< there was one for its target
    std::vector<std::string> warnings;
};

struct PushOutcome {
    ModelInfo model;
    bool already_stored = false;
    std::vector<std::string> warnings;
};

/// Order within a change: check → store → publish → audit → answer. What fails before publish leaves models, snapshot
/// and state file as they were. Thread: control.
class ModelRegistry {
  public:
    using Warnings = std::vector<std::string>;
    /// Bundles kept a slot, and steps that rollback can go back.
    static constexpr std::size_t kMaxStored = 64;
    static constexpr std::size_t kMaxHistory = 32;

    struct Parts {
        ModelStore store;
        std::shared_ptr<const BundleChecker> checker;
        std::vector<kernels::Bytes> default_models;
        dataplane::Publisher& publisher;
        AuditLog& audit;
        VerdictLedger& ledger;
        std::span<const dataplane::WorkerInfo> workers{};
        /// Called where a crash may hit between the steps of a change ("publish", "published", "audited"). For tests
        /// of recovery.
        std::function<void(std::string_view)> at{};
        /// The clock that ages outlive a restart by.
        std::function<BootTime()> boot_time = BootTime::now;
    };
    using Clock = std::chrono::steady_clock;

    /// Reads the state, chooses each slot's model and publishes the first snapshot. `warnings`: what had to be worked
    /// around. An Error only for a bundle file that the configuration names and that cannot be used.
    [[nodiscard]] static Result<std::unique_ptr<ModelRegistry>> recover(
        config::Config config, Parts parts, std::vector<std::string>& warnings);

    /// Stores a candidate and, if asked, activates it.
    [[nodiscard]] Outcome<PushOutcome> push(
        Candidate candidate, const PushOptions& options, const Actor& actor);
    /// An audit line for a request that did not get as far as a change.
    void refused(const std::string& action, const Error& error, const Actor& actor) {
        audit(actor, action, "", "", "", &error);
    }
    /// An audit line for a push that did not get as far as push().
    void push_refused(const std::string& slot, const Failure& failure, const Actor& actor);

    /// `version` 0: the newest stored. Activating the active model changes nothing and succeeds.
    [[nodiscard]] Outcome<Activation> activate(
        const ModelKey& key, const Actor& actor, bool override_bar = false);
    /// Any step forth or back: `to` of the answer is the model that was moved. Stepping the active model back brings
    /// the one before it back.
    [[nodiscard]] Outcome<Activation> stage(const StageRequest& request, const Actor& actor);
    /// Ends the canary, if there is one; else to the model (or none) active before. The lever for emergencies: a state
    /// file that cannot be written is a warning here. What the model that goes decided acts no more.
    [[nodiscard]] Outcome<Activation> rollback(const std::string& slot, const Actor& actor);
    /// A guardrail was broken by `key`: rolls back, bars the version, says why. Does nothing if the model is gone.
    [[nodiscard]] Outcome<Activation> breach(const ModelKey& key, const std::string& why);
    [[nodiscard]] Outcome<void> remove(const ModelKey& key, const Actor& actor);

    /// Takes over what is hot, all in one snapshot or nothing.
    [[nodiscard]] tl::expected<ReloadReport, std::vector<Error>> apply_config(
        const config::Config& next, const Actor& actor);

    /// What apply_config() would do, models that files name aside. Changes nothing.
    [[nodiscard]] ReloadReport preview_config(const config::Config& next) const;

    /// Time passes: probations and times to live end. True if something changed. Where a time to live is set, ages are
    /// written to the state file once a minute.
    bool tick(Clock::time_point now);
    /// An operator was here.
    void contact(Clock::time_point now) { contact_ = now; }

    /// Sets (none: removes) one rule over the configuration's; with `forget`, back to the configuration's.
    [[nodiscard]] Outcome<Warnings> set_rule(
        const std::string& slot,
        const std::string& cls,
        const std::optional<config::ClassRule>& rule,
        bool forget,
        const Actor& actor);
    [[nodiscard]] Outcome<std::vector<RuleInForce>> rules(const std::string& slot) const;
    /// The rule that the configuration file has.
    [[nodiscard]] std::optional<config::ClassRule> configured_rule(
        const std::string& slot, const std::string& cls) const;

    /// Blocks or lets pass what `target` names, in place of an override it has. overrides.cpp.
    [[nodiscard]] Outcome<OverrideOutcome> set_override(
        const std::string& target,
        dataplane::OverrideKind kind,
        std::uint32_t seconds,
        const Actor& actor);
    [[nodiscard]] Outcome<Override> remove_override(const std::string& target, const Actor& actor);
    /// In the order of the snapshot's rules.
    [[nodiscard]] const std::vector<Override>& overrides() const noexcept {
        return memory_.state.overrides;
    }

    /// Models of a slot (empty: all), slots in configuration order, names ascending, versions descending.
    [[nodiscard]] Outcome<std::vector<ModelInfo>> list(const std::string& slot) const;
    /// By slot index; none: no model.
    [[nodiscard]] std::vector<std::optional<ModelInfo>> active() const;
    /// Model changes since start, by slot index.
    [[nodiscard]] const std::vector<std::uint64_t>& swaps() const noexcept { return swaps_; }
    [[nodiscard]] std::vector<SlotUse> use() const;
    [[nodiscard]] const config::Config& config() const noexcept { return config_; }

  private:
    using Model = std::shared_ptr<const dataplane::SlotModel>;

    struct LiveTrial {
        Model model;
        TrialState state;
        std::uint8_t block = 0;
        std::uint8_t pair_block = 0;
        std::shared_ptr<const TrialBase> base;  ///< null: not reserved yet
    };
    struct Withdrawn {
        std::uint16_t ref = 0;
        Clock::time_point until;  ///< when no flow can hold a verdict of it any more
    };
    /// What a slot runs now.
    struct Live {
        Model model;  ///< null: none
        std::optional<ModelKey> key;
        std::uint8_t block = 0;  ///< of the ledger, if there is a model
        std::vector<LiveTrial> trials;
        std::vector<Withdrawn> withdrawn;
        Clock::time_point since;  ///< when the active model came
        bool judged = false;
        bool stale = false;
    };
    /// What a slot is to run.
    struct Change {
        std::size_t slot = 0;
        Model model;
        std::optional<ModelKey> key;
        std::uint8_t block = 0;
        bool trials_only = false;                      ///< the active model stays
        std::optional<std::vector<LiveTrial>> trials;  ///< what they are to be; none: as they are
        std::uint16_t withdraw = 0;  ///< ref of a model that acts no more; 0: none
    };
    struct Stored {
        ModelInfo info;
        std::shared_ptr<const kernels::Bytes> embedded;  ///< of a default model; others are on disk
    };
    /// Everything that a change must be able to take back.
    struct Memory {
        RegistryState state;         ///< `models` empty: they are `stored`
        std::vector<Stored> stored;  ///< default models included
    };
    /// What a change does to the slot's history: push the model that goes, pop the one that comes, or neither.
    enum class History { push, pop, keep };

    ModelRegistry(config::Config config, Parts parts);

    // Start: recover.cpp.
    void load_state(Warnings& warnings);
    void load_defaults(Warnings& warnings);
    void adopt_files(Warnings& warnings);
    void drop_unknown_history();
    [[nodiscard]] Result<Change> first_model(std::size_t slot, Warnings& warnings);
    [[nodiscard]] std::optional<Change> last_active(std::size_t slot, Warnings& warnings) const;
    void start_with(std::vector<Change> changes, Warnings& warnings);

    // Models on trial: trials.cpp; steps back: step_back.cpp.
    [[nodiscard]] std::string bar_of(const ModelKey& key) const;
    [[nodiscard]] Outcome<void> check_bar(const ModelKey& key, bool override_bar);
    [[nodiscard]] std::vector<LiveTrial> trials_without(
        std::size_t slot, const std::optional<ModelKey>& key) const;
    [[nodiscard]] const LiveTrial* canary_of(std::size_t slot) const;
    [[nodiscard]] Outcome<LiveTrial> trial_for(
        std::size_t slot, const ModelKey& key, const StageRequest& request) const;
    [[nodiscard]] Outcome<Change> plan_trial(
        std::size_t slot, const ModelKey& key, const StageRequest& request);
    [[nodiscard]] Outcome<Change> plan_step_back(
        std::size_t slot, const ModelKey& key, const StageRequest& request);
    [[nodiscard]] Outcome<Activation> end_canary(std::size_t slot);
    [[nodiscard]] Outcome<Activation> go_back(std::size_t slot);
    /// The latest of the slot's history that can be loaded, popped; `skipped` tells what could not.
    [[nodiscard]] std::optional<Change> previous(std::size_t slot, Warnings& skipped);
    void recover_trials(std::size_t slot, Change& change, Warnings& warnings);
    [[nodiscard]] bool is_stale(std::size_t slot, Clock::time_point now) const;
    [[nodiscard]] double age(std::size_t slot, Clock::time_point now) const;
    [[nodiscard]] Outcome<void> reserve_trials(Change& change);
    void apply_rules();
    void follow_overrides(Warnings& warnings);
    bool expire_overrides(Clock::time_point now);
    void recover_overrides();

    // Configured models: reconfigure.cpp.
    struct Configured {
        std::optional<Candidate> file;  ///< of a bundle file
        std::optional<ModelKey> key;    ///< none: "none", or a default that this program has not
        std::string digest;             ///< of the file; empty for "default" and "none"
    };
    [[nodiscard]] Result<Configured> configured(const config::Slot& slot, Warnings& warnings) const;
    /// Stores the file, if it is one, and loads the model.
    [[nodiscard]] Result<Change> adopt(std::size_t slot, Configured configured);

    struct Wanted {
        std::size_t slot = 0;
        std::string setting;  ///< the configuration's `model`
        Configured named;
    };
    /// Slots whose `model` setting, or the file it names, is not what was followed last.
    [[nodiscard]] std::vector<Wanted> changed_models(
        const config::Config& merged, Warnings& warnings, std::vector<Error>& errors);
    [[nodiscard]] std::vector<Change> adopt_all(
        std::vector<Wanted> wanted, std::vector<Error>& errors);
    /// Takes memory back and deletes bundle files that it does not know.
    void restore(Memory before);
    void tell(
        const std::vector<Change>& changes,
        const std::vector<std::string>& from,
        ReloadReport& report,
        const Actor& actor);

    // Look-ups: lookup.cpp. Steps of a change: registry.cpp.
    [[nodiscard]] std::optional<std::size_t> slot_index(const std::string& name) const;
    [[nodiscard]] Failure no_slot(const std::string& name) const;
    [[nodiscard]] const Stored* find(const ModelKey& key) const;
    [[nodiscard]] const Stored* default_of(const std::string& slot) const;
    [[nodiscard]] Outcome<ModelKey> resolve(const ModelKey& key) const;
    [[nodiscard]] std::optional<ModelInfo> info_of(const std::optional<ModelKey>& key) const;
    [[nodiscard]] Outcome<Change> load(std::size_t slot, const ModelKey& key) const;
    [[nodiscard]] Outcome<void> admit(const ModelInfo& info, bool allow_older) const;
    /// Writes the bundle's file and remembers it; false if it was there already.
    [[nodiscard]] Outcome<bool> keep(const Candidate& candidate, const PushOptions& options);
    [[nodiscard]] Outcome<void> reserve(std::vector<Change>& changes);
    void release(const std::vector<Change>& changes);
    void note(const Change& change, History history);
    [[nodiscard]] Outcome<void> save() const;
    void recover_ages(const std::vector<Change>& changes);
    void keep_ages(Clock::time_point now);
    void restage(const std::string& slot);
    void reach(std::string_view point) const {
        if (parts_.at) {
            parts_.at(point);
        }
    }
    void adopt_change(const Change& change, std::vector<Change>& gone);
    [[nodiscard]] std::vector<dataplane::SlotTrials> trials_for_workers() const;
    /// Publishes config_ with `changes`, whose blocks are reserved; returns what the builder warns of.
    Warnings publish(const std::vector<Change>& changes);
    [[nodiscard]] Outcome<Activation> switch_to(Change change, History history);
    void audit(
        const Actor& actor,
        const std::string& action,
        const std::string& slot,
        const std::string& from,
        const std::string& to,
        const Error* error = nullptr,
        const std::string& remark = {});

    config::Config config_;      ///< with the rules that were set while running
    config::Config configured_;  ///< as the file has it
    Clock::time_point contact_ = Clock::now();
    Clock::time_point ages_kept_ = Clock::now();
    Parts parts_;
    Memory memory_;
    std::shared_ptr<const dataplane::OverrideSet> compiled_overrides_;
    std::vector<Live> live_;  ///< by slot
    std::vector<std::uint64_t> swaps_;
    std::uint64_t generation_ = 0;
    Warnings told_;  ///< of the last snapshot
    bool started_ = false;
};

}  // namespace weir::control
