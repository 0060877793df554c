// SPDX-License-Identifier: BSD-3-Clause
// weirctl completion: scripts made from the command table.
#include "control/ctl/client.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

namespace weir::ctl {

namespace {

/// What may follow the words of a command: more words, or its options.
std::map<std::string, std::vector<std::string>> next_words() {
    std::map<std::string, std::vector<std::string>> next;
    const auto add = [&next](const std::string& after, const std::string& word) {
        auto& words = next[after];
        if (std::find(words.begin(), words.end(), word) == words.end()) {
            words.push_back(word);
        }
    };
    for (const auto& command : commands()) {
        std::string before;
        std::string rest(command.path);
        while (!rest.empty()) {
            const auto space = rest.find(' ');
            const std::string word = rest.substr(0, space);
            add(before, word);
            before += (before.empty() ? "" : " ") + word;
            rest = space == std::string::npos ? std::string() : rest.substr(space + 1);
        }
        for (const auto& option : command.options) {
            add(before, std::string(option.name));
        }
        next.try_emplace(before);
    }
    for (const auto& option : global_options()) {
        add("", std::string(option.name));
    }
    next["completion"] = {"bash", "zsh", "fish"};
    return next;
}

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const auto& word : words) {
        text += (text.empty() ? "" : " ") + word;
    }
    return text;
}

std::string bash_script() {
    std::string out =
        "_weirctl() {\n"
        "    local word path=\"\" i\n"
        "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
        "        word=\"${COMP_WORDS[i]}\"\n"
        "        case \"$word\" in\n";
    std::string takes_value;
    for (const auto& option : global_options()) {
        if (!option.value.empty()) {
            takes_value += (takes_value.empty() ? "" : "|") + std::string(option.name);
        }
    }
    out += "            " + takes_value +
           ") ((i++)) ;;\n"
           "            -*) ;;\n"
           "            *) path=\"${path:+$path }$word\" ;;\n"
           "        esac\n"
           "    done\n"
           "    local words=\"\"\n"
           "    case \"$path\" in\n";
    for (const auto& [path, words] : next_words()) {
        const std::string pattern =
            path.empty() ? "\"\""
                         : "\"" + path + "\"" +
                               (path == "models" || path == "policy" || path == "audit"
                                    ? ""
                                    : "|\"" + path + " \"*");
        out += "        " + pattern + ") words=\"" + joined(words) + "\" ;;\n";
    }
    return out +
           "    esac\n"
           "    COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
           "    case \"$path\" in \"models push\"*|\"audit verify\"*)\n"
           "        COMPREPLY+=($(compgen -f -- \"${COMP_WORDS[COMP_CWORD]}\")) ;;\n"
           "    esac\n"
           "}\n"
           "complete -o filenames -F _weirctl weirctl\n";
}

std::string fish_script() {
    std::string out = "complete -c weirctl -f\n";
    for (const auto& option : global_options()) {
        out += "complete -c weirctl -l " + std::string(option.name.substr(2)) +
               (option.value.empty() ? "" : " -r") + "\n";
    }
    for (const auto& [path, words] : next_words()) {
        for (const auto& word : words) {
            if (path.empty() && word.starts_with("--")) {
                continue;
            }
            const std::string condition =
                path.empty() ? "__fish_use_subcommand"
                             : "string match -qr -- \" " + path + "( |$)\" (commandline -pc)";
            out += "complete -c weirctl -n '" + condition + "' " +
                   (word.starts_with("--") ? "-l " + word.substr(2) : "-a " + word) + "\n";
        }
    }
    return out;
}

}  // namespace

std::string completion_script(std::string_view shell) {
    if (shell == "bash") {
        return bash_script();
    }
    if (shell == "zsh") {
        return "autoload -U +X bashcompinit && bashcompinit\n" + bash_script();
    }
    return shell == "fish" ? fish_script() : std::string();
}

Exit run_completion(Client& /*client*/, const Call& call) {
    const std::string script = completion_script(call.get("SHELL"));
    if (script.empty()) {
        return report(
            call,
            "INVALID_ARGUMENT",
            "SHELL: '" + call.get("SHELL") + "' is not known; fix: bash, zsh or fish",
            Exit::bad_input);
    }
    std::fputs(script.c_str(), stdout);
    return Exit::ok;
}

}  // namespace weir::ctl
