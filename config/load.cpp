// SPDX-License-Identifier: BSD-3-Clause
#include "config/load.h"

#include "config/export.h"
#include "config/node.h"
#include "config/sections.h"

#include <cerrno>
#include <cstring>
#include <exception>
#include <filesystem>
#include <system_error>
#include <utility>

#include <sys/stat.h>

#include <fcntl.h>
#include <unistd.h>

namespace weir::config {

namespace {

/// A file as a whole.
struct Whole {
    Config config;
    Export exports;
};
using Loaded = tl::expected<Whole, std::vector<Error>>;

Loaded refused(Findings& findings) {
    return tl::unexpected(findings.take());
}

Loaded refused(const std::string& name, std::string what, std::string fix) {
    return tl::unexpected(std::vector<Error>{Error{name, {}, std::move(what), std::move(fix)}});
}

/// A path that a key names is checked where it can be: on the machine, for the keys that the file gives.
void check_models(Context& context, const Config& config) {
    for (const Slot& slot : config.slots) {
        if (slot.model == "default" || slot.model == "none") {
            continue;
        }
        const std::string path = "slots." + slot.name + ".model";
        std::error_code error;
        const auto status = std::filesystem::status(slot.model, error);
        if (status.type() == std::filesystem::file_type::not_found) {
            context.add(
                path,
                "no file " + quote(slot.model),
                "name a model bundle; relative paths start from the directory of this file");
        } else if (status.type() != std::filesystem::file_type::regular) {
            context.add(
                path,
                quote(slot.model) + (error ? ": " + error.message() : " is not a regular file"),
                "name a model bundle that this user may read");
        }
    }
}

Loaded load(
    std::string_view yaml,
    const std::string& name,
    const std::string& directory,
    bool check_files) {
    Findings findings(name);
    try {
        const auto root = parse_yaml(yaml, findings);
        if (!root) {
            return refused(findings);
        }
        if (root->kind == Node::Kind::null) {
            return refused(
                name,
                "the file is empty",
                "start from one of config/examples, see docs/configuration.md");
        }
        Context context{findings, directory};
        Config config = defaults();
        config.file = name;
        read_section(context, *root, {}, config_section(), config);
        if (root->kind == Node::Kind::map) {
            cross_check(context, config);
            if (check_files) {
                check_models(context, config);
            }
        }
        if (findings.empty()) {
            return Whole{std::move(config), std::move(context.exports)};
        }
    } catch (const std::exception& e) {
        findings.add(0, {}, std::string("cannot be read: ") + e.what(), "simplify the file");
    }
    return refused(findings);
}

class FileHandle {
  public:
    explicit FileHandle(const std::string& path)
        : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {}
    ~FileHandle() {
        if (fd_ >= 0) {
            ::close(fd_);
        }
    }
    FileHandle(const FileHandle&) = delete;
    FileHandle& operator=(const FileHandle&) = delete;
    [[nodiscard]] int fd() const noexcept { return fd_; }

  private:
    int fd_;
};

std::string open_advice(int error) {
    switch (error) {
        case ENOENT:
            return "check the path; examples are in config/examples";
        case EACCES:
        case EPERM:
            return "let the user that runs weir read it (chmod, chown)";
        default:
            return "name a readable file";
    }
}

std::string error_text(int error) {
    return std::generic_category().message(error);
}

/// At most one byte more than kMaxFileBytes, which is enough to refuse.
tl::expected<std::string, int> read_all(int fd) {
    std::string text;
    std::string block(1u << 16, '\0');
    while (text.size() <= kMaxFileBytes) {
        const ssize_t got = ::read(fd, block.data(), block.size());
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return tl::unexpected(errno);
        }
        if (got == 0) {
            break;
        }
        text.append(block, 0, static_cast<std::size_t>(got));
    }
    return text;
}

Loaded load_whole(const std::string& path) {
    const FileHandle file(path);
    if (file.fd() < 0) {
        const int error = errno;
        return refused(path, error_text(error), open_advice(error));
    }
    struct stat status {};
    if (::fstat(file.fd(), &status) != 0 || !S_ISREG(status.st_mode)) {
        return refused(
            path,
            S_ISDIR(status.st_mode) ? "is a directory" : "is not a regular file",
            S_ISDIR(status.st_mode) ? "name the file in it, such as " + path + "/weir.yaml"
                                    : "name a file");
    }
    const auto text = read_all(file.fd());
    if (!text) {
        return refused(path, error_text(text.error()), "name a readable file");
    }
    std::error_code error;
    const auto absolute = std::filesystem::absolute(path, error);
    return load(*text, path, error ? std::string() : absolute.parent_path().string(), true);
}

Loaded load_whole_text(std::string_view yaml, const std::string& name) {
    return load(yaml, name, std::filesystem::path(name).parent_path().string(), false);
}

}  // namespace

tl::expected<Config, std::vector<Error>> load_file(const std::string& path) {
    return load_whole(path).map([](Whole whole) { return std::move(whole.config); });
}

tl::expected<Config, std::vector<Error>> load_text(std::string_view yaml, const std::string& name) {
    return load_whole_text(yaml, name).map([](Whole whole) { return std::move(whole.config); });
}

tl::expected<Export, std::vector<Error>> load_export(const std::string& path) {
    return load_whole(path).map([](Whole whole) { return std::move(whole.exports); });
}

tl::expected<Export, std::vector<Error>> load_export_text(
    std::string_view yaml, const std::string& name) {
    return load_whole_text(yaml, name).map([](Whole whole) { return std::move(whole.exports); });
}

}  // namespace weir::config
