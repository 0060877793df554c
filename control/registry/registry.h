// SPDX-License-Identifier: BSD-3-Clause
// The models of each slot: stored, activated, rolled back; every change one snapshot, one audit line.
#pragma once

#include "config/config.h"
#include "control/audit/audit.h"
#include "control/registry/checker.h"
#include "control/registry/failure.h"
#include "control/registry/report.h"
#include "control/registry/store.h"
#include "control/registry/types.h"
#include "control/registry/verdict_ledger.h"
#include "dataplane/publisher.h"
#include "dataplane/snapshot.h"

#include <cstdint>
#include <memory>
#include <optional>
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

struct PushOutcome {
    ModelInfo model;
    bool already_stored = false;
    std::vector<std::string> warnings;
};

/// Order within a change: check → store → publish → audit → answer. What fails before publish leaves models, snapshot
/// and state file as they were. Thread: control.
class ModelRegistry {
  public:
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
    };

    /// Reads the state, chooses each slot's model and publishes the first snapshot. `warnings`: what had to be worked
    /// around. An Error only for a bundle file that the configuration names and that cannot be used.
    [[nodiscard]] static Result<std::unique_ptr<ModelRegistry>> recover(
        config::Config config, Parts parts, std::vector<std::string>& warnings);

    /// Stores a candidate and, if asked, activates it.
    [[nodiscard]] Outcome<PushOutcome> push(
        Candidate candidate, const PushOptions& options, const Actor& actor);
    /// An audit line for a push that did not get as far as push().
    void push_refused(const std::string& slot, const Failure& failure, const Actor& actor);

    /// `version` 0: the newest stored. Activating the active model changes nothing and succeeds.
    [[nodiscard]] Outcome<Activation> activate(const ModelKey& key, const Actor& actor);
    /// To the model (or none) active before. The lever for emergencies: a state file that cannot be written is a
    /// warning here.
    [[nodiscard]] Outcome<Activation> rollback(const std::string& slot, const Actor& actor);
    [[nodiscard]] Outcome<void> remove(const ModelKey& key, const Actor& actor);

    /// Takes over what is hot, all in one snapshot or nothing.
    [[nodiscard]] tl::expected<ReloadReport, std::vector<Error>> apply_config(
        const config::Config& next, const Actor& actor);

    /// Models of a slot (empty: all), slots in configuration order, names ascending, versions descending.
    [[nodiscard]] Outcome<std::vector<ModelInfo>> list(const std::string& slot) const;
    /// By slot index; none: no model.
    [[nodiscard]] std::vector<std::optional<ModelInfo>> active() const;
    /// Model changes since start, by slot index.
    [[nodiscard]] const std::vector<std::uint64_t>& swaps() const noexcept { return swaps_; }
    [[nodiscard]] const config::Config& config() const noexcept { return config_; }

  private:
    using Model = std::shared_ptr<const dataplane::SlotModel>;
    using Warnings = std::vector<std::string>;

    /// What a slot runs now.
    struct Live {
        Model model;  ///< null: none
        std::optional<ModelKey> key;
        std::uint8_t block = 0;  ///< of the ledger, if there is a model
    };
    /// What a slot is to run.
    struct Change {
        std::size_t slot = 0;
        Model model;
        std::optional<ModelKey> key;
        std::uint8_t block = 0;
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

    // Steps of a change: registry.cpp.
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

    config::Config config_;
    Parts parts_;
    Memory memory_;
    std::vector<Live> live_;  ///< by slot
    std::vector<std::uint64_t> swaps_;
    std::uint64_t generation_ = 0;
    bool started_ = false;
};

}  // namespace weir::control
