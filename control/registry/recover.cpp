// SPDX-License-Identifier: BSD-3-Clause
// Start: which model each slot comes up with.
#include "control/registry/registry.h"

#include <algorithm>
#include <utility>

#include <spdlog/spdlog.h>

namespace weir::control {

namespace {

bool is_file(const config::Slot& slot) {
    return slot.model != "default" && slot.model != "none";
}

}  // namespace

Result<std::unique_ptr<ModelRegistry>> ModelRegistry::recover(
    config::Config config, Parts parts, std::vector<std::string>& warnings) {
    auto registry =
        std::unique_ptr<ModelRegistry>(new ModelRegistry(std::move(config), std::move(parts)));
    registry->load_defaults(warnings);
    registry->load_state(warnings);
    registry->drop_unknown_history();
    registry->apply_rules();
    registry->recover_overrides();
    std::vector<Change> changes;
    for (std::size_t i = 0; i < registry->config_.slots.size(); ++i) {
        auto first = registry->first_model(i, warnings);
        if (!first) {
            return tl::unexpected(std::move(first.error()));
        }
        registry->recover_trials(i, *first, warnings);
        changes.push_back(std::move(*first));
    }
    registry->start_with(std::move(changes), warnings);
    return registry;
}

void ModelRegistry::load_defaults(Warnings& warnings) {
    for (std::size_t i = 0; i < parts_.default_models.size(); ++i) {
        auto candidate = parts_.checker->check_default(
            parts_.default_models[i], "default model " + std::to_string(i));
        if (!candidate) {
            warnings.push_back(candidate.error().error.line());
            continue;
        }
        ModelInfo info = describe(*candidate, Source::builtin);
        memory_.stored.push_back(
            {std::move(info), std::make_shared<const kernels::Bytes>(std::move(candidate->bytes))});
    }
    parts_.default_models.clear();
}

void ModelRegistry::load_state(Warnings& warnings) {
    auto state = parts_.store.load_state();
    const bool lost = !state;
    if (lost) {
        const std::string aside = parts_.store.set_state_aside();
        warnings.push_back(
            state.error().line() + "; the stored bundles are checked anew, the file is kept as " +
            (aside.empty() ? "it is" : aside));
        state = RegistryState{};
    }
    for (auto& model : state->models) {
        // A default of the same name and version stands for itself.
        if (!find(model.key)) {
            memory_.stored.push_back({std::move(model), nullptr});
        }
    }
    state->models.clear();
    memory_.state = std::move(*state);
    if (lost) {
        adopt_files(warnings);
        return;
    }
    for (const auto& key : parts_.store.bundles()) {
        if (!find(key)) {  // of a push that was never answered, or a removal that was
            spdlog::info("{}: not in the state file, deleted", parts_.store.bundle_path(key));
            (void)parts_.store.remove_bundle(key);
        }
    }
}

void ModelRegistry::adopt_files(Warnings& warnings) {
    for (const auto& key : parts_.store.bundles()) {
        if (find(key)) {
            continue;
        }
        const std::string path = parts_.store.bundle_path(key);
        auto bytes = parts_.store.load_bundle(key, parts_.checker->max_bytes());
        if (!bytes) {
            warnings.push_back(bytes.error().line());
            continue;
        }
        auto candidate = parts_.checker->check(std::move(*bytes), path, key.slot, true);
        if (!candidate) {
            warnings.push_back(candidate.error().error.line());
            continue;
        }
        ModelInfo info = describe(*candidate, Source::pushed);
        if (info.key != key) {
            warnings.push_back(
                path + ": holds " + info.key.label() + ", not what its name says; left alone");
            continue;
        }
        auto& highest = memory_.state.highest[key.slot + "/" + key.name];
        highest = std::max(highest, key.version);
        memory_.stored.push_back({std::move(info), nullptr});
    }
}

void ModelRegistry::drop_unknown_history() {
    for (auto& [name, slot] : memory_.state.slots) {
        std::erase_if(slot.history, [this](const auto& key) { return key && !find(*key); });
    }
}

const ModelRegistry::Stored* ModelRegistry::default_of(const std::string& slot) const {
    const auto at =
        std::find_if(memory_.stored.begin(), memory_.stored.end(), [&](const Stored& s) {
            return s.embedded && s.info.key.slot == slot;
        });
    return at == memory_.stored.end() ? nullptr : &*at;
}

std::optional<ModelRegistry::Change> ModelRegistry::last_active(
    std::size_t slot, Warnings& warnings) const {
    const auto& name = config_.slots[slot].name;
    const auto& state = memory_.state.slots.at(name);
    const Stored* builtin = default_of(name);
    if (!state.active) {
        // "default" was configured, but that program had none.
        const bool had_none = config_.slots[slot].model == "default" && state.history.empty();
        return had_none ? std::nullopt : std::optional(Change{slot, nullptr, {}, 0});
    }
    const bool upgraded =
        !find(*state.active) && builtin && builtin->info.key.name == state.active->name;
    auto change = load(slot, upgraded ? builtin->info.key : *state.active);
    if (!change) {
        warnings.push_back(
            "slot " + name +
            ": the last active model cannot be used: " + change.error().error.line() +
            "; going on with what the configuration names (" + config_.slots[slot].model + ")");
        return std::nullopt;
    }
    return std::move(*change);
}

Result<ModelRegistry::Change> ModelRegistry::first_model(std::size_t slot, Warnings& warnings) {
    const auto& wanted = config_.slots[slot];
    const auto known = memory_.state.slots.find(wanted.name);
    const bool same =
        known != memory_.state.slots.end() && known->second.configured == wanted.model;
    Warnings notes;
    auto named = configured(wanted, notes);
    const bool same_file = named && same && named->digest == known->second.configured_digest;
    if (same && (!named || same_file)) {
        if (auto last = last_active(slot, warnings)) {
            if (!named) {
                warnings.push_back(named.error().line() + "; going on with the last active model");
            }
            return std::move(*last);
        }
    }
    if (!named) {
        return tl::unexpected(std::move(named.error()));
    }
    warnings.insert(warnings.end(), notes.begin(), notes.end());
    const std::string digest = named->digest;
    auto change = adopt(slot, std::move(*named));
    if (!change && !is_file(wanted)) {
        warnings.push_back(
            change.error().line() + "; slot " + wanted.name + " runs without a model");
        change = Change{slot, nullptr, {}, 0};
    }
    if (!change) {
        return change;
    }
    auto& state = memory_.state.slots[wanted.name];
    if (!same && state.active && state.active != change->key && find(*state.active)) {
        state.history.push_back(state.active);
    }
    state.configured = wanted.model;
    state.configured_digest = digest;
    return change;
}

/// Models that go on are as old as they were, and so is the last contact.
void ModelRegistry::recover_ages(const std::vector<Change>& changes) {
    const auto now = Clock::now();
    const auto ago = [now](double age_s) {
        return now -
               std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(age_s));
    };
    const auto& state = memory_.state;
    const double away = parts_.boot_time().since(state.written);
    contact_ = ago(state.contact_age_s + away);
    for (const auto& change : changes) {
        const auto known = state.slots.find(config_.slots[change.slot].name);
        const bool same = known != state.slots.end() && known->second.active == change.key;
        live_[change.slot].since = same ? ago(known->second.age_s + away) : now;
    }
}

void ModelRegistry::start_with(std::vector<Change> changes, Warnings& warnings) {
    recover_ages(changes);
    std::vector<std::string> last;
    for (const auto& change : changes) {
        const auto& active = memory_.state.slots[config_.slots[change.slot].name].active;
        last.push_back(active ? active->label() : "");
        note(change, History::keep);
    }
    if (auto reserved = reserve(changes); !reserved) {
        warnings.push_back(reserved.error().error.line());  // cannot be: nothing is in use yet
        changes.clear();
    }
    if (auto saved = save(); !saved) {
        warnings.push_back(saved.error().error.line() + "; changes will not outlive a restart");
    }
    const auto more = publish(changes);
    started_ = true;
    warnings.insert(warnings.end(), more.begin(), more.end());
    for (const auto& change : changes) {
        audit(
            Actor{.via = "startup"},
            "recover",
            config_.slots[change.slot].name,
            last[change.slot],
            change.key ? change.key->label() : "");
    }
    (void)tick(Clock::now());  // what was stale is stale before the first packet
}

}  // namespace weir::control
