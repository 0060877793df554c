// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/snapshot_build.h"

#include "dataplane/features/catalog.h"
#include "dataplane/rule_classes.h"
#include "dataplane/score.h"
#include "kernels/explain/attribution.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace weir::dataplane {

namespace {

struct ClassNames {
    std::mutex mutex;
    std::map<std::string, std::vector<std::string>> by_slot;
};

[[nodiscard]] ClassNames& class_names() {
    static ClassNames names;
    return names;
}

[[nodiscard]] std::uint16_t to_u16(double share) noexcept {
    return static_cast<std::uint16_t>(std::lround(std::clamp(share, 0.0, 1.0) * 65535.0));
}

[[nodiscard]] std::uint32_t groups_of(const SlotModel& model) noexcept {
    std::uint32_t groups = 0;
    for (const std::uint16_t feature : model.features) {
        groups |= 1u << static_cast<std::uint32_t>(catalog()[feature].group);
    }
    return groups;
}

void add_rules(
    const config::Slot& slot,
    const SlotModel* model,
    SnapshotSlot& out,
    std::vector<std::string>* warnings) {
    for (const auto& [name, rule] : slot.rules) {
        const auto id = class_id(slot.name, name);
        if (!id) {
            if (warnings != nullptr) {
                warnings->push_back(id.error().line());
            }
            continue;
        }
        out.actions[*id] = {rule.action, rule.dscp, to_u16(rule.min_confidence)};
        const bool known =
            model == nullptr || slot.default_rules ||
            std::find(model->classes.begin(), model->classes.end(), name) != model->classes.end();
        if (!known && warnings != nullptr) {
            warnings->push_back(
                "slots." + slot.name + ".rules." + name + ": the active model " + model->name +
                " v" + std::to_string(model->version) + " has no such class");
        }
    }
}

void add_trials(const SlotTrials& given, SnapshotSlot& out) {
    if (given.stale) {  // nothing scores, nothing cached acts; packets go by the fail policy
        out.active = nullptr;
        out.actions = {};
        out.model_missing = *given.stale;
        return;
    }
    out.trials = given.trials;
    out.canary = given.canary;
    out.share = given.share;
    const std::size_t skip =
        given.withdrawn.size() - std::min<std::size_t>(given.withdrawn.size(), kMaxWithdrawn);
    for (std::size_t i = skip; i < given.withdrawn.size(); ++i) {
        out.withdrawn[out.withdrawn_count++] = given.withdrawn[i];
    }
    out.judged = given.judged;
    out.watched = out.judged || !out.trials.empty() || out.withdrawn_count != 0;
}

}  // namespace

Result<std::uint8_t> class_id(const std::string& slot, const std::string& name) {
    ClassNames& names = class_names();
    const std::lock_guard lock(names.mutex);
    auto& of_slot = names.by_slot[slot];
    const auto found = std::find(of_slot.begin(), of_slot.end(), name);
    if (found != of_slot.end()) {
        return static_cast<std::uint8_t>(found - of_slot.begin());
    }
    if (of_slot.size() >= kMaxClasses) {
        return fail(
            "slot " + slot,
            "classes",
            "more than " + std::to_string(kMaxClasses) + " class names since start",
            "restart weir, or keep class names between versions");
    }
    of_slot.push_back(name);
    return static_cast<std::uint8_t>(of_slot.size() - 1);
}

std::string class_name(const std::string& slot, std::uint8_t id) {
    ClassNames& names = class_names();
    const std::lock_guard lock(names.mutex);
    const auto found = names.by_slot.find(slot);
    return found != names.by_slot.end() && id < found->second.size() ? found->second[id]
                                                                     : "unknown";
}

Result<std::shared_ptr<const SlotModel>> make_slot_model(kernels::VerifiedBundle verified) {
    static std::atomic<std::uint32_t> next_ref{0};
    kernels::Bundle& bundle = verified.bundle;
    const std::size_t scratch = verified.classifier->scratch_bytes();
    if (scratch > kScoreScratchBytes) {
        return fail(
            "bundle " + bundle.name,
            "network",
            "needs " + std::to_string(scratch) + " bytes of scratch, workers have " +
                std::to_string(kScoreScratchBytes),
            "use a smaller model");
    }
    auto model = std::make_shared<SlotModel>();
    for (const std::string& name : bundle.classes) {
        auto id = class_id(bundle.slot, name);
        if (!id) {
            return tl::unexpected(id.error());
        }
        model->class_ids.push_back(*id);
    }
    for (std::size_t c = 0; c < bundle.thresholds.size() && c < kMaxClasses; ++c) {
        model->min_score[c] = to_u16(bundle.thresholds[c]);
    }
    model->benign_class = bundle.benign_class();
    model->name = std::move(bundle.name);
    model->version = bundle.version;
    model->ref = static_cast<std::uint16_t>(next_ref.fetch_add(1) % UINT16_MAX + 1);  // never 0
    model->head = std::move(bundle.head);
    model->classes = std::move(bundle.classes);
    model->features = std::move(verified.feature_ids);
    model->classifier = std::move(verified.classifier);
    model->basis = std::make_shared<const kernels::ModelBasis>(
        kernels::ModelBasis{std::move(bundle.network), std::move(bundle.histograms)});
    return model;
}

Result<void> check_features(
    const kernels::VerifiedBundle& verified,
    const std::string& where,
    const config::Features& features) {
    for (std::size_t i = 0; i < verified.feature_ids.size(); ++i) {
        const FeatureInfo& feature = catalog()[verified.feature_ids[i]];
        if (feature.group == FeatureGroup::payload && !features.payload) {
            return fail(
                where,
                "inputs[" + std::to_string(i) + "].feature",
                std::string(feature.name) + " needs a look into payloads, which is off here",
                "set features.payload: true in weir.yaml and start weir anew, or train a model "
                "without payload features");
        }
    }
    return {};
}

std::unique_ptr<Snapshot> build_snapshot(
    const config::Config& config,
    const std::vector<std::shared_ptr<const SlotModel>>& active,
    std::uint64_t generation,
    std::vector<std::string>* warnings,
    const std::vector<std::uint8_t>& verdict_blocks,
    const std::vector<SlotTrials>& trials) {
    auto snapshot = std::make_unique<Snapshot>();
    snapshot->generation = generation;
    snapshot->fail = config.fail;
    for (const std::uint8_t dscp : config.never_remark) {
        snapshot->never_remark |= std::uint64_t{1} << (dscp & 63U);
    }
    for (std::size_t s = 0; s < config.slots.size() && s < kMaxSlots; ++s) {
        const config::Slot& slot = config.slots[s];
        SnapshotSlot& out = snapshot->slots.emplace_back();
        out.name = slot.name;
        out.active = s < active.size() ? active[s] : nullptr;
        out.verdict_block = s < verdict_blocks.size() ? verdict_blocks[s] : std::uint8_t{0};
        out.cadence = slot.cadence;
        out.hysteresis = slot.hysteresis;
        out.model_missing = slot.model_missing;
        add_rules(slot, out.active.get(), out, warnings);
        if (out.active != nullptr) {
            snapshot->feature_groups |= groups_of(*out.active);
        }
        if (s < trials.size()) {
            add_trials(trials[s], out);
            for (const Trial& trial : out.trials) {
                snapshot->feature_groups |= groups_of(*trial.model);
            }
        }
    }
    snapshot->policy = build_policy(config, warnings);
    if (warnings != nullptr) {
        std::vector<std::vector<std::string>> classes;
        for (std::size_t s = 0; s < snapshot->slots.size(); ++s) {
            // The models that are given, though one may be past its time to live and not act.
            const SlotModel* model = s < active.size() ? active[s].get() : nullptr;
            classes.push_back(
                slot_classes(model, s < trials.size() ? trials[s].trials : std::vector<Trial>()));
        }
        const auto lines = rules_without_class(config, classes);
        warnings->insert(warnings->end(), lines.begin(), lines.end());
    }
    return snapshot;
}

}  // namespace weir::dataplane
