// SPDX-License-Identifier: BSD-3-Clause
// The registry's memory across restarts: bundles and one state file under control.state_dir.
#pragma once

#include "config/config.h"
#include "config/error.h"
#include "control/registry/overrides.h"
#include "control/registry/types.h"
#include "kernels/model/verify.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace weir::control {

/// A model on trial as the state file knows it.
struct TrialState {
    ModelKey key;
    std::uint32_t permyriad = 0;  ///< share of flows that it acts for, in 1/10000; 0: a shadow
    std::uint64_t salt = 0;       ///< of a canary: which flows, see dataplane::CanaryShare

    friend bool operator==(const TrialState&, const TrialState&) = default;
};

/// What the state file says of a slot.
struct SlotState {
    std::string configured;         ///< the configuration's `model` when this was written
    std::string configured_digest;  ///< of the bundle file it named; empty for "default" and "none"
    std::optional<ModelKey> active;                ///< none: no model
    std::vector<std::optional<ModelKey>> history;  ///< active before, the latest last
    std::vector<TrialState> trials;                ///< shadows, and at most one canary
    double age_s = 0.0;                            ///< of the active model, when this was written
    /// Rules set while running, over the configuration's; none: the class has no rule.
    std::map<std::string, std::optional<config::ClassRule>> rules;
};

/// A clock that nobody can set: it counts from the machine's start.
struct BootTime {
    std::string id;        ///< of this start of the machine; empty: not known
    double seconds = 0.0;  ///< since it, time asleep included

    /// /proc/sys/kernel/random/boot_id and CLOCK_BOOTTIME.
    [[nodiscard]] static BootTime now();
    /// Seconds from `then` to this time, as far as they can be known without a clock that may jump: of another start of
    /// the machine only what passed since that start, of a time that is not known none.
    [[nodiscard]] double since(const BootTime& then) const;
};

/// All of the state file.
struct RegistryState {
    BootTime written;            ///< when; ages are as of then
    double contact_age_s = 0.0;  ///< since the last operator's call
    std::map<std::string, SlotState> slots;
    std::map<std::string, std::uint32_t>
        highest;                    ///< version by "slot/name", kept when bundles are removed
    std::vector<ModelInfo> models;  ///< stored bundles, not the embedded ones
    std::map<std::string, std::string> barred;  ///< why, by "slot/name@version"
    std::vector<Override> overrides;            ///< in the order they were set
};

/// Files: `state.json` and `models/<slot>@<name>@<version>.bundle`, each written whole to a temporary file, synced,
/// renamed, and its directory synced: after a crash either the old or the new content stands. Thread: control.
class ModelStore {
  public:
    /// Creates the directories (0750) where missing.
    [[nodiscard]] static Result<ModelStore> open(const std::string& dir);
    /// Called with the name of each step of a durable write as it is done ("state.written", "state.synced",
    /// "state.renamed", "state.durable", the same for "bundle"): where a power cut may hit. For tests of recovery.
    void on_step(std::function<void(std::string_view)> step) { step_ = std::move(step); }

    [[nodiscard]] Result<void> save_state(const RegistryState& state) const;
    /// An empty state if there is no file; an Error if it cannot be read or is not ours.
    [[nodiscard]] Result<RegistryState> load_state() const;
    /// Moves a state file that cannot be read out of the way; its new path, empty if there was none.
    [[nodiscard]] std::string set_state_aside() const;

    [[nodiscard]] Result<void> save_bundle(
        const ModelKey& key, std::span<const std::byte> bytes) const;
    [[nodiscard]] Result<kernels::Bytes> load_bundle(
        const ModelKey& key, std::size_t max_bytes) const;
    [[nodiscard]] Result<void> remove_bundle(const ModelKey& key) const;
    /// Keys of all bundle files, by their names. Left-over temporary files are deleted.
    [[nodiscard]] std::vector<ModelKey> bundles() const;

    [[nodiscard]] std::string bundle_path(const ModelKey& key) const;
    [[nodiscard]] const std::string& dir() const noexcept { return dir_; }

  private:
    explicit ModelStore(std::string dir) : dir_(std::move(dir)) {}
    [[nodiscard]] std::string state_path() const { return dir_ + "/state.json"; }
    [[nodiscard]] std::string models_dir() const { return dir_ + "/models"; }
    [[nodiscard]] std::function<void(std::string_view)> step_of(const std::string& prefix) const;
    std::string dir_;
    std::function<void(std::string_view)> step_;
};

/// True if a slot or bundle name can stand in a file name: [a-z0-9._-]{1,64}.
[[nodiscard]] bool safe_name(const std::string& name);

/// Reads a file of at most `max_bytes`; the Error names `path`.
[[nodiscard]] Result<kernels::Bytes> read_file(const std::string& path, std::size_t max_bytes);
/// Replaces `path` by `bytes`, durably, mode 0640. `step`: see ModelStore::on_step.
[[nodiscard]] Result<void> write_file_durably(
    const std::string& path,
    std::span<const std::byte> bytes,
    const std::function<void(std::string_view)>& step = {});

/// The state file's text, and back. `where` names the file in errors.
[[nodiscard]] std::string state_to_json(const RegistryState& state);
[[nodiscard]] Result<RegistryState> state_from_json(
    const std::string& text, const std::string& where);

[[nodiscard]] std::string_view stage_name(Stage stage) noexcept;
[[nodiscard]] std::string_view source_name(Source source) noexcept;

}  // namespace weir::control
