// SPDX-License-Identifier: BSD-3-Clause
#include "control/registry/registry.h"

#include "config/findings.h"
#include "dataplane/snapshot_build.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace weir::control {

namespace {

std::int64_t now_unix() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

std::string version_key(const ModelKey& key) {
    return key.slot + "/" + key.name;
}

}  // namespace

ModelRegistry::ModelRegistry(config::Config config, Parts parts)
    : config_(std::move(config)),
      parts_(std::move(parts)),
      live_(config_.slots.size()),
      swaps_(config_.slots.size()) {}

// --- look-ups ---

std::optional<std::size_t> ModelRegistry::slot_index(const std::string& name) const {
    for (std::size_t i = 0; i < config_.slots.size(); ++i) {
        if (config_.slots[i].name == name) {
            return i;
        }
    }
    return std::nullopt;
}

Failure ModelRegistry::no_slot(const std::string& name) const {
    std::string known;
    for (const auto& slot : config_.slots) {
        known += (known.empty() ? "" : ", ") + slot.name;
    }
    return {
        FailureKind::not_found,
        {"slot " + config::quote(name), "slot", "is not configured", "use one of " + known}};
}

const ModelRegistry::Stored* ModelRegistry::find(const ModelKey& key) const {
    const auto at =
        std::find_if(memory_.stored.begin(), memory_.stored.end(), [&](const Stored& s) {
            return s.info.key == key;
        });
    return at == memory_.stored.end() ? nullptr : &*at;
}

Outcome<ModelKey> ModelRegistry::resolve(const ModelKey& key) const {
    if (!slot_index(key.slot)) {
        return tl::unexpected(no_slot(key.slot));
    }
    std::optional<ModelKey> found;
    std::string versions;
    for (const auto& stored : memory_.stored) {
        const auto& have = stored.info.key;
        if (have.slot != key.slot || have.name != key.name) {
            continue;
        }
        versions += (versions.empty() ? "" : ", ") + std::to_string(have.version);
        const bool newer = !found || have.version > found->version;
        if (key.version == 0 ? newer : have.version == key.version) {
            found = have;
        }
    }
    if (found) {
        return *found;
    }
    if (versions.empty()) {
        return refuse(
            FailureKind::not_found,
            {"slot " + key.slot,
             "name",
             "holds no model named " + config::quote(key.name),
             "see `weirctl models list`, or push it first"});
    }
    return refuse(
        FailureKind::not_found,
        {"model " + key.name,
         "version",
         std::to_string(key.version) + " is not stored",
         "use one of " + versions});
}

std::optional<ModelInfo> ModelRegistry::info_of(const std::optional<ModelKey>& key) const {
    const Stored* stored = key ? find(*key) : nullptr;
    return stored ? std::optional(stored->info) : std::nullopt;
}

Outcome<std::vector<ModelInfo>> ModelRegistry::list(const std::string& slot) const {
    if (!slot.empty() && !slot_index(slot)) {
        return tl::unexpected(no_slot(slot));
    }
    std::vector<ModelInfo> out;
    for (const auto& stored : memory_.stored) {
        const auto& key = stored.info.key;
        if (slot.empty() ? slot_index(key.slot).has_value() : key.slot == slot) {
            out.push_back(stored.info);
        }
    }
    std::sort(out.begin(), out.end(), [this](const ModelInfo& a, const ModelInfo& b) {
        const auto rank = [this](const ModelKey& k) { return slot_index(k.slot).value_or(0); };
        return std::make_tuple(rank(a.key), a.key.name, ~a.key.version) <
               std::make_tuple(rank(b.key), b.key.name, ~b.key.version);
    });
    return out;
}

std::vector<std::optional<ModelInfo>> ModelRegistry::active() const {
    std::vector<std::optional<ModelInfo>> out;
    for (const auto& live : live_) {
        out.push_back(info_of(live.key));
    }
    return out;
}

// --- steps of a change ---

Outcome<ModelRegistry::Change> ModelRegistry::load(std::size_t slot, const ModelKey& key) const {
    const Stored* stored = find(key);
    if (!stored) {
        return refuse(
            FailureKind::not_found, {"model " + key.label(), "", "is not stored", "push it again"});
    }
    const std::string where = "model " + key.label();
    auto candidate = [&]() -> Outcome<Candidate> {
        if (stored->embedded) {
            return parts_.checker->check_default(*stored->embedded, where);
        }
        auto bytes = parts_.store.load_bundle(key, parts_.checker->max_bytes());
        if (!bytes) {
            return refuse(FailureKind::internal, std::move(bytes.error()));
        }
        return parts_.checker->check(std::move(*bytes), where, key.slot);
    }();
    if (!candidate) {
        return tl::unexpected(std::move(candidate.error()));
    }
    if (candidate->verified.digest != stored->info.digest) {
        return refuse(
            FailureKind::internal,
            {parts_.store.bundle_path(key),
             "digest",
             "the stored bundle is not the one that was pushed",
             "push it again"});
    }
    auto model = dataplane::make_slot_model(std::move(candidate->verified));
    if (!model) {
        return refuse(FailureKind::precondition, std::move(model.error()));
    }
    return Change{slot, std::move(*model), key, 0};
}

Outcome<void> ModelRegistry::admit(const ModelInfo& info, bool allow_older) const {
    const auto& key = info.key;
    const std::string where = "model " + key.label();
    if (!slot_index(key.slot)) {
        return tl::unexpected(no_slot(key.slot));
    }
    if (find(key)) {
        return refuse(
            FailureKind::precondition,
            {where,
             "version",
             "is stored already, with other content",
             "give the new model a higher version"});
    }
    const auto highest = memory_.state.highest.find(version_key(key));
    if (!allow_older && highest != memory_.state.highest.end() && key.version <= highest->second) {
        return refuse(
            FailureKind::precondition,
            {where,
             "version",
             "is not above " + std::to_string(highest->second) + ", the highest seen",
             "give the model a higher version, or push with --allow-older"});
    }
    const auto in_slot =
        std::count_if(memory_.stored.begin(), memory_.stored.end(), [&](const Stored& s) {
            return s.info.key.slot == key.slot;
        });
    if (static_cast<std::size_t>(in_slot) >= kMaxStored) {
        return refuse(
            FailureKind::exhausted,
            {"slot " + key.slot,
             "",
             "holds " + std::to_string(in_slot) + " models already",
             "remove some: `weirctl models remove`"});
    }
    return {};
}

Outcome<bool> ModelRegistry::keep(const Candidate& candidate, const PushOptions& options) {
    ModelInfo info = describe(candidate, options.source);
    if (const Stored* same = find(info.key); same && same->info.digest == info.digest) {
        return false;
    }
    if (auto admitted = admit(info, options.allow_older); !admitted) {
        return tl::unexpected(std::move(admitted.error()));
    }
    if (auto saved = parts_.store.save_bundle(info.key, candidate.bytes); !saved) {
        return refuse(FailureKind::internal, std::move(saved.error()));
    }
    info.added_unix = now_unix();
    auto& highest = memory_.state.highest[version_key(info.key)];
    highest = std::max(highest, info.key.version);
    memory_.stored.push_back(Stored{std::move(info), nullptr});
    return true;
}

Outcome<void> ModelRegistry::reserve(std::vector<Change>& changes) {
    for (std::size_t i = 0; i < changes.size(); ++i) {
        auto& change = changes[i];
        if (!change.model) {
            continue;
        }
        auto block = parts_.ledger.open(
            static_cast<std::uint32_t>(change.slot), change.model->name, change.model->version);
        if (!block) {
            changes.resize(i);
            release(changes);
            return refuse(FailureKind::exhausted, std::move(block.error()));
        }
        change.block = *block;
    }
    return {};
}

void ModelRegistry::release(const std::vector<Change>& changes) {
    for (const auto& change : changes) {
        if (change.model) {
            parts_.ledger.close(static_cast<std::uint32_t>(change.slot), change.block);
        }
    }
}

void ModelRegistry::note(const Change& change, History history) {
    auto& state = memory_.state.slots[config_.slots[change.slot].name];
    if (history == History::push && state.active != change.key) {
        state.history.push_back(state.active);
        if (state.history.size() > kMaxHistory) {
            state.history.erase(state.history.begin());
        }
    }
    for (auto& stored : memory_.stored) {
        if (change.key && stored.info.key == *change.key) {
            stored.info.stage = Stage::active;
            stored.info.activated_unix = now_unix();
        } else if (
            stored.info.key.slot == config_.slots[change.slot].name &&
            stored.info.stage == Stage::active) {
            stored.info.stage = Stage::retired;
        }
    }
    state.active = change.key;
}

Outcome<void> ModelRegistry::save() const {
    RegistryState state = memory_.state;
    for (const auto& stored : memory_.stored) {
        if (!stored.embedded) {
            state.models.push_back(stored.info);
        }
    }
    if (auto saved = parts_.store.save_state(state); !saved) {
        return refuse(FailureKind::internal, std::move(saved.error()));
    }
    return {};
}

ModelRegistry::Warnings ModelRegistry::publish(const std::vector<Change>& changes) {
    std::vector<Change> gone;
    for (const auto& change : changes) {
        auto& live = live_[change.slot];
        gone.push_back(Change{change.slot, std::move(live.model), live.key, live.block});
        live = Live{change.model, change.key, change.block};
        swaps_[change.slot] += started_ ? 1 : 0;
    }
    std::vector<Model> models;
    std::vector<std::uint8_t> blocks;
    for (const auto& live : live_) {
        models.push_back(live.model);
        blocks.push_back(live.block);
    }
    Warnings warnings;
    generation_ = std::max(generation_, parts_.publisher.current().generation) + 1;
    parts_.publisher.publish(
        dataplane::build_snapshot(config_, models, generation_, &warnings, blocks));
    // Every worker has left the old snapshot: the blocks of the models that went are final.
    release(gone);
    return warnings;
}

}  // namespace weir::control
