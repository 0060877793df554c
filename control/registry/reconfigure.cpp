// SPDX-License-Identifier: BSD-3-Clause
// Models that the configuration names, and a configuration that changes.
#include "control/registry/config_diff.h"
#include "control/registry/registry.h"
#include "dataplane/snapshot_build.h"

#include <algorithm>
#include <utility>

namespace weir::control {

Result<ModelRegistry::Configured> ModelRegistry::configured(
    const config::Slot& slot, Warnings& warnings) const {
    const std::string field = "slots." + slot.name + ".model";
    Configured out;
    if (slot.model == "none") {
        return out;
    }
    if (slot.model == "default") {
        if (const Stored* builtin = default_of(slot.name)) {
            out.key = builtin->info.key;
        } else {
            warnings.push_back(
                config_.file + ": " + field +
                ": this program has no default model for the slot, which runs without one; "
                "fix: push a model, or name a bundle file");
        }
        return out;
    }
    auto bytes = read_file(slot.model, parts_.checker->max_bytes());
    if (!bytes) {
        auto error = std::move(bytes.error());
        return fail(
            config_.file,
            field,
            error.line(),
            "name a readable bundle file, \"default\" or \"none\"");
    }
    auto candidate = parts_.checker->check(std::move(*bytes), slot.model, slot.name);
    if (!candidate) {
        auto error = std::move(candidate.error().error);
        return fail(config_.file, field, error.line());
    }
    out.key = describe(*candidate, Source::config).key;
    out.digest = candidate->verified.digest;
    out.file = std::move(*candidate);
    return out;
}

Result<ModelRegistry::Change> ModelRegistry::adopt(std::size_t slot, Configured configured) {
    if (!configured.key) {
        return Change{slot, nullptr, {}, 0};
    }
    if (!configured.file) {
        auto change = load(slot, *configured.key);
        if (!change) {
            return tl::unexpected(std::move(change.error().error));
        }
        return std::move(*change);
    }
    // The owner of the configuration names the version: an older one is what he wants.
    const PushOptions options{.activate = true, .allow_older = true, .source = Source::config};
    if (auto kept = keep(*configured.file, options); !kept) {
        return tl::unexpected(std::move(kept.error().error));
    }
    auto model = dataplane::make_slot_model(std::move(configured.file->verified));
    if (!model) {
        return tl::unexpected(std::move(model.error()));
    }
    return Change{slot, std::move(*model), configured.key, 0};
}

std::vector<ModelRegistry::Wanted> ModelRegistry::changed_models(
    const config::Config& merged, Warnings& warnings, std::vector<Error>& errors) {
    std::vector<Wanted> wanted;
    for (std::size_t i = 0; i < merged.slots.size(); ++i) {
        const auto& slot = merged.slots[i];
        const auto& state = memory_.state.slots[slot.name];
        auto named = configured(slot, warnings);
        if (!named) {
            errors.push_back(std::move(named.error()));
        } else if (slot.model != state.configured || named->digest != state.configured_digest) {
            wanted.push_back(Wanted{i, slot.model, std::move(*named)});
        }
    }
    return wanted;
}

std::vector<ModelRegistry::Change> ModelRegistry::adopt_all(
    std::vector<Wanted> wanted, std::vector<Error>& errors) {
    std::vector<Change> changes;
    for (auto& [slot, setting, named] : wanted) {
        auto& state = memory_.state.slots[config_.slots[slot].name];
        state.configured = setting;
        state.configured_digest = named.digest;
        if (named.key == live_[slot].key) {
            continue;
        }
        auto change = adopt(slot, std::move(named));
        if (change) {
            changes.push_back(std::move(*change));
        } else {
            errors.push_back(std::move(change.error()));
        }
    }
    return changes;
}

void ModelRegistry::restore(Memory before) {
    for (const auto& stored : memory_.stored) {
        const auto& key = stored.info.key;
        const bool had =
            std::any_of(before.stored.begin(), before.stored.end(), [&](const Stored& s) {
                return s.info.key == key;
            });
        if (!had) {
            (void)parts_.store.remove_bundle(key);
        }
    }
    memory_ = std::move(before);
}

ReloadReport ModelRegistry::preview_config(const config::Config& next) const {
    ReloadReport report;
    for (const auto& change : config_diff(configured_, next)) {
        (change.hot ? report.applied : report.needs_restart).push_back(change.line());
    }
    return report;
}

tl::expected<ReloadReport, std::vector<Error>> ModelRegistry::apply_config(
    const config::Config& next, const Actor& actor) {
    const config::Config running = config_;
    const config::Config running_file = configured_;
    const config::Config merged = merge_hot(running_file, next);
    Memory before = memory_;
    ReloadReport report;
    std::vector<Error> errors;
    const auto give_up = [&] {
        restore(std::move(before));
        config_ = running;
        configured_ = running_file;
        for (const auto& error : errors) {
            audit(actor, "reload", "", "", "", &error);
        }
        return tl::unexpected(std::move(errors));
    };
    auto wanted = changed_models(merged, report.warnings, errors);
    if (!errors.empty()) {
        return give_up();
    }
    auto changes = adopt_all(std::move(wanted), errors);
    if (!errors.empty()) {
        return give_up();
    }
    for (auto& change : changes) {
        change.trials = trials_without(change.slot, change.key);
    }
    if (auto reserved = reserve(changes); !reserved) {
        errors.push_back(std::move(reserved.error().error));
        return give_up();
    }
    std::vector<std::string> from;
    for (const auto& change : changes) {
        const auto& key = live_[change.slot].key;
        from.push_back(key ? key->label() : "none");
        note(change, History::push);
    }
    config_ = configured_ = merged;
    apply_rules();
    if (auto saved = save(); !saved) {
        release(changes);
        errors.push_back(std::move(saved.error().error));
        return give_up();
    }
    bool hot = !changes.empty();
    for (const auto& change : config_diff(running_file, next)) {
        (change.hot ? report.applied : report.needs_restart).push_back(change.line());
        hot = hot || change.hot;
    }
    if (hot) {
        const auto more = publish(changes);
        report.warnings.insert(report.warnings.end(), more.begin(), more.end());
    }
    tell(changes, from, report, actor);
    return report;
}

void ModelRegistry::tell(
    const std::vector<Change>& changes,
    const std::vector<std::string>& from,
    ReloadReport& report,
    const Actor& actor) {
    for (std::size_t i = 0; i < changes.size(); ++i) {
        const auto& name = config_.slots[changes[i].slot].name;
        const std::string to = changes[i].key ? changes[i].key->label() : "none";
        report.applied.push_back("slot " + name + ": model " + from[i] + " -> " + to);
        audit(actor, "activate", name, from[i], to, nullptr, "configuration");
    }
    std::string remark;
    for (const auto& line : report.applied) {
        remark += (remark.empty() ? "" : ", ") + line;
    }
    audit(actor, "reload", "", "", "", nullptr, remark.empty() ? "nothing changed" : remark);
}

}  // namespace weir::control
