// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/rule_classes.h"

#include <algorithm>

namespace weir::dataplane {
namespace {

std::string joined(const std::vector<std::string>& names) {
    std::string out;
    for (const std::string& name : names) {
        out += (out.empty() ? "" : ", ") + name;
    }
    return out;
}

const std::vector<std::string>* classes_of(
    const config::Config& config,
    const std::vector<std::vector<std::string>>& classes,
    const std::string& slot) {
    for (std::size_t s = 0; s < config.slots.size() && s < classes.size(); ++s) {
        if (config.slots[s].name == slot) {
            return classes[s].empty() ? nullptr : &classes[s];
        }
    }
    return nullptr;
}

}  // namespace

std::vector<std::string> slot_classes(const SlotModel* active, const std::vector<Trial>& trials) {
    std::vector<std::string> out;
    const auto add = [&](const SlotModel& model) {
        for (const std::string& name : model.classes) {
            if (std::find(out.begin(), out.end(), name) == out.end()) {
                out.push_back(name);
            }
        }
    };
    if (active != nullptr) {
        add(*active);
    }
    for (const Trial& trial : trials) {
        add(*trial.model);
    }
    return out;
}

std::vector<std::string> rules_without_class(
    const config::Config& config, const std::vector<std::vector<std::string>>& classes) {
    std::vector<std::string> lines;
    for (const auto& [policy, body] : config.policies) {
        for (std::size_t i = 0; i < body.rules.size(); ++i) {
            const config::PolicyRule& rule = body.rules[i];
            const auto* known = classes_of(config, classes, rule.slot);
            if (known == nullptr) {
                continue;
            }
            for (const std::string& name : rule.classes) {
                if (std::find(known->begin(), known->end(), name) != known->end()) {
                    continue;
                }
                const Error error{
                    config.file,
                    "policies." + policy + ".rules[" + std::to_string(i) + "].class",
                    "no model of slot " + rule.slot + " has the class '" + name +
                        "': the rule never acts for it",
                    "use one of: " + joined(*known)};
                lines.push_back(error.line());
            }
        }
    }
    return lines;
}

}  // namespace weir::dataplane
