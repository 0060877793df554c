// SPDX-License-Identifier: BSD-3-Clause
// docs/configuration.md, written from the same table that reads the file.
#include "config/keys.h"
#include "config/load.h"

namespace weir::config {

namespace {

std::string cell(const std::string& text) {
    std::string out;
    for (const char c : text) {
        out += c == '|' ? "\\|" : std::string(1, c);
    }
    return out;
}

std::string action_text(const ClassRule& rule) {
    switch (rule.action) {
        case ActionKind::mark:
            return "mark " + dscp_name(rule.dscp);
        case ActionKind::drop:
            return "drop";
        case ActionKind::pass:
            break;
    }
    return "pass";
}

std::string share_text(double share) {
    std::string text = std::to_string(share);
    text.erase(text.find_last_not_of('0') + 1);
    return text.back() == '.' ? text + "0" : text;
}

std::string key_tables() {
    std::string out;
    std::string section;
    for (const KeyDoc& key : all_keys()) {
        const std::string top = key.path.substr(0, key.path.find_first_of(".["));
        if (top != section) {
            section = top;
            out += "\n## " + top + "\n\n| key | values | default | meaning |\n|---|---|---|---|\n";
        }
        out += "| `" + cell(key.path) + "` | " + cell(key.type) + " | `" + cell(key.value) +
               "` | " + cell(key.text) + " |\n";
    }
    return out;
}

std::string default_rules() {
    std::string out =
        "\n## The default rules\n\n"
        "A slot that the file does not give rules has these. Classes not listed pass unchanged; "
        "with the defaults "
        "nothing is dropped.\n\n"
        "| slot | class | action | from confidence |\n|---|---|---|---|\n";
    for (const Slot& slot : defaults().slots) {
        if (slot.rules.empty()) {
            out += "| `" + slot.name + "` | every class | pass | |\n";
        }
        for (const auto& [name, rule] : slot.rules) {
            out += "| `" + slot.name + "` | `" + name + "` | " + action_text(rule) + " | " +
                   share_text(rule.min_confidence) + " |\n";
        }
    }
    return out;
}

constexpr const char* kHead = R"(<!-- SPDX-License-Identifier: BSD-3-Clause -->
<!-- Written by `./dev docs` from the key table in config/keys.cpp; a test compares them. -->
# weir.yaml

`weir check -c weir.yaml` reads a configuration, tells everything that is wrong with it, each finding with its line
and its fix, and starts nothing. `weir run -c weir.yaml` takes a configuration whole or not at all.

The smallest one that does something:

```yaml
ports:
  - {name: lan, device: "0000:01:00.0"}
  - {name: wan, device: "0000:01:00.1"}
pairs: [[lan, wan]]
```

More of them are in [config/examples](../config/examples). The rules of the file:

- YAML, UTF-8, at most 1 MiB, one document. Anchors, aliases and tags are not accepted: a configuration says what it
  means where it means it.
- A key that is not in these tables, or is given twice, is an error. So is a port that no pair and no tap uses.
- Whole numbers are plain decimals. Flags are `true` and `false`. A word such as `off` is never taken for a flag.
- Relative paths start from the directory of the file.
- A rule with a `dscp` marks: `telephony: {dscp: EF}`. Others name their action: `flood: {action: drop,
  min_confidence: 0.9}`.
)";

}  // namespace

std::string reference_page() {
    return kHead + key_tables() + default_rules();
}

}  // namespace weir::config
