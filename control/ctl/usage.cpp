// SPDX-License-Identifier: BSD-3-Clause
#include "control/ctl/usage.h"

#include "config/findings.h"
#include "control/ctl/commands.h"

#include <algorithm>
#include <vector>

namespace weir::ctl {

namespace {

using Words = std::vector<std::string_view>;

bool asks_for_text(std::string_view word) {
    return word == "--help" || word == "-h" || word == "--version";
}

/// Walks the words as the parser will: commands word by word, options with their values, arguments.
class Reader {
  public:
    std::optional<std::string> read(std::span<const std::string_view> words);

  private:
    [[nodiscard]] std::optional<std::string> option(std::string_view word);
    [[nodiscard]] std::optional<std::string> command(std::string_view word);
    [[nodiscard]] std::optional<std::string> argument(std::string_view word);
    [[nodiscard]] std::optional<std::string> missing() const;
    [[nodiscard]] const OptionSpec* find_option(std::string_view name) const;
    [[nodiscard]] Words known_options() const;
    /// What may follow path_: of "models" for example "list", "push" …
    [[nodiscard]] Words next_words() const;
    /// "models push: ", in front of what is told about it; empty before any command.
    [[nodiscard]] std::string where() const { return path_.empty() ? "" : path_ + ": "; }
    [[nodiscard]] std::string see_help() const { return "; see weirctl " + path_ + " --help"; }

    std::string path_;  ///< of the command so far
    const CommandSpec* chosen_ = nullptr;
    std::size_t arguments_ = 0;
    const OptionSpec* awaits_value_ = nullptr;
};

std::optional<std::string> Reader::read(std::span<const std::string_view> words) {
    for (const auto word : words) {
        std::optional<std::string> error;
        if (awaits_value_ != nullptr) {
            awaits_value_ = nullptr;
        } else if (asks_for_text(word)) {
            return std::nullopt;
        } else if (word.starts_with('-') && word.size() > 1) {
            error = option(word);
        } else {
            error = chosen_ == nullptr ? command(word) : argument(word);
        }
        if (error) {
            return error;
        }
    }
    return missing();
}

const OptionSpec* Reader::find_option(std::string_view name) const {
    const auto in = [name](std::span<const OptionSpec> options) {
        const auto at = std::find_if(
            options.begin(), options.end(), [name](const auto& o) { return o.name == name; });
        return at == options.end() ? nullptr : &*at;
    };
    const auto* found = in(global_options());
    return found == nullptr && chosen_ != nullptr ? in(chosen_->options) : found;
}

Words Reader::known_options() const {
    Words names;
    if (chosen_ != nullptr) {
        for (const auto& option : chosen_->options) {
            names.push_back(option.name);
        }
    }
    for (const auto& option : global_options()) {
        names.push_back(option.name);
    }
    names.emplace_back("--help");
    return names;
}

std::optional<std::string> Reader::option(std::string_view word) {
    const auto equals = word.find('=');
    const auto name = word.substr(0, equals);
    const OptionSpec* spec = find_option(name);
    if (spec == nullptr) {
        return where() + "no option " + config::quote(name) + "; " +
               config::suggest(name, known_options());
    }
    awaits_value_ = spec->value.empty() || equals != std::string_view::npos ? nullptr : spec;
    return std::nullopt;
}

Words Reader::next_words() const {
    Words words;
    for (const auto& command : commands()) {
        std::string_view rest = command.path;
        if (!path_.empty()) {
            if (!rest.starts_with(path_ + " ")) {
                continue;
            }
            rest.remove_prefix(path_.size() + 1);
        }
        rest = rest.substr(0, rest.find(' '));
        if (words.empty() || words.back() != rest) {
            words.push_back(rest);
        }
    }
    return words;
}

std::optional<std::string> Reader::command(std::string_view word) {
    const auto words = next_words();
    if (std::find(words.begin(), words.end(), word) == words.end()) {
        return where() + "no command " + config::quote(word) + "; " + config::suggest(word, words);
    }
    path_.append(path_.empty() ? "" : " ").append(word);
    for (const auto& command : commands()) {
        chosen_ = command.path == path_ ? &command : chosen_;
    }
    return std::nullopt;
}

std::optional<std::string> Reader::argument(std::string_view word) {
    if (arguments_ == chosen_->arguments.size()) {
        return where() + config::quote(word) + " is one argument too many" + see_help();
    }
    ++arguments_;
    return std::nullopt;
}

std::optional<std::string> Reader::missing() const {
    if (awaits_value_ != nullptr) {
        return where() + std::string(awaits_value_->name) + " needs a value, " +
               std::string(awaits_value_->value);
    }
    if (chosen_ == nullptr) {
        return where() + "a command is missing; use one of: " + config::list_words(next_words());
    }
    for (std::size_t i = arguments_; i < chosen_->arguments.size(); ++i) {
        const auto& argument = chosen_->arguments[i];
        if (argument.required) {
            return where() + std::string(argument.name) + " is missing" + see_help();
        }
    }
    return std::nullopt;
}

}  // namespace

std::optional<std::string> usage_error(std::span<const std::string_view> words) {
    return Reader().read(words);
}

}  // namespace weir::ctl
