// SPDX-License-Identifier: BSD-3-Clause
#include "control/app/extract_columns.h"

#include "dataplane/features/catalog.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>

#include <arpa/inet.h>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace weir::app {

namespace {

namespace fs = std::filesystem;

static_assert(std::endian::native == std::endian::little, "the descriptors below say little");

// The head of a record; its members are the table's columns.
struct Head {
    std::uint64_t first_ns;
    std::uint64_t last_ns;
    std::uint64_t bytes;
    std::uint32_t packet;
    std::uint32_t decision;
    std::uint32_t tunnel;
    std::uint32_t file;
    std::uint32_t label;
    std::uint32_t group;
    std::array<std::uint8_t, 16> src;
    std::array<std::uint8_t, 16> dst;
    std::uint16_t sport;
    std::uint16_t dport;
    std::uint16_t vlan;
    std::uint8_t proto;
    std::uint8_t ip_version;
};
static_assert(sizeof(Head) == 88);

struct Column {
    const char* name;
    const char* type;  ///< numpy's descr
    std::size_t offset;
    std::size_t bytes;
    bool address = false;  ///< rows × 16
};
constexpr Column kColumns[] = {
    {"first_ns", "<u8", offsetof(Head, first_ns), 8},
    {"last_ns", "<u8", offsetof(Head, last_ns), 8},
    {"bytes", "<u8", offsetof(Head, bytes), 8},
    {"packet", "<u4", offsetof(Head, packet), 4},
    {"decision", "<u4", offsetof(Head, decision), 4},
    {"tunnel", "<u4", offsetof(Head, tunnel), 4},
    {"file", "<u4", offsetof(Head, file), 4},
    {"label", "<u4", offsetof(Head, label), 4},
    {"group", "<u4", offsetof(Head, group), 4},
    {"src", "|u1", offsetof(Head, src), 16, true},
    {"dst", "|u1", offsetof(Head, dst), 16, true},
    {"sport", "<u2", offsetof(Head, sport), 2},
    {"dport", "<u2", offsetof(Head, dport), 2},
    {"vlan", "<u2", offsetof(Head, vlan), 2},
    {"proto", "|u1", offsetof(Head, proto), 1},
    {"ip_version", "|u1", offsetof(Head, ip_version), 1},
};

constexpr std::size_t kNpyHeader = 128;  // numpy maps data at a multiple of 64
constexpr std::size_t kBlockRows = 8192;

[[nodiscard]] tl::unexpected<Error> cannot_write(const std::string& path) {
    return fail(
        path,
        {},
        std::string("cannot write: ") + std::strerror(errno),
        "check the folder, its free space and permissions");
}

// One array on disk, written at places.
class NpyFile {
  public:
    NpyFile(std::string path, const char* type, const std::string& shape, bool fortran)
        : path_(std::move(path)),
          fd_(open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) {
        // https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, version 1.0
        std::string header = "\x93NUMPY\x01";
        header.push_back('\0');
        header.push_back(static_cast<char>(kNpyHeader - 10));
        header.push_back('\0');
        header += std::string("{'descr': '") + type +
                  "', 'fortran_order': " + (fortran ? "True" : "False") + ", 'shape': (" + shape +
                  "), }";
        header.resize(kNpyHeader - 1, ' ');
        header.push_back('\n');
        ok_ = fd_ >= 0 && put(header.data(), header.size(), 0);
    }
    ~NpyFile() {
        if (fd_ >= 0) {
            close(fd_);
        }
    }
    NpyFile(const NpyFile&) = delete;
    NpyFile& operator=(const NpyFile&) = delete;

    /// At `offset` bytes into the data.
    void data(const void* bytes, std::size_t size, std::uint64_t offset) noexcept {
        ok_ = ok_ && put(bytes, size, kNpyHeader + offset);
    }
    [[nodiscard]] bool ok() const noexcept { return ok_; }
    [[nodiscard]] const std::string& path() const noexcept { return path_; }

  private:
    [[nodiscard]] bool put(const void* bytes, std::size_t size, std::uint64_t offset) noexcept {
        const auto* from = static_cast<const char*>(bytes);
        while (size != 0) {
            const ssize_t written = pwrite(fd_, from, size, static_cast<off_t>(offset));
            if (written <= 0) {
                return false;
            }
            from += written;
            offset += static_cast<std::uint64_t>(written);
            size -= static_cast<std::size_t>(written);
        }
        return true;
    }

    std::string path_;
    int fd_;
    bool ok_;
};

// Text to small numbers, in the order met.
class Names {
  public:
    std::uint32_t number(const std::string& name) {
        const auto [entry, fresh] =
            index_.try_emplace(name, static_cast<std::uint32_t>(names_.size()));
        if (fresh) {
            names_.push_back(name);
        }
        return entry->second;
    }
    [[nodiscard]] const std::vector<std::string>& names() const noexcept { return names_; }

  private:
    std::map<std::string, std::uint32_t> index_;
    std::vector<std::string> names_;
};

// Turns records into columns, a block at a time.
class Transposer {
  public:
    Transposer(
        const std::string& folder,
        const ExtractColumns& columns,
        const FlowLabels* labels,
        std::uint64_t rows)
        : columns_(columns), labels_(labels), rows_(rows), record_(column_record_bytes(columns)) {
        const std::string n = std::to_string(rows);
        const std::string matrix = n + ", " + std::to_string(dataplane::feature_count());
        const auto add = [&](const std::string& name, const char* type, const std::string& shape) {
            files_.push_back(std::make_unique<NpyFile>(
                folder + "/" + name + ".npy", type, shape, name == "raw" || name == "codes"));
        };
        for (const Column& column : kColumns) {
            add(column.name, column.type, n + (column.address ? ", 16" : ","));
        }
        raw_ = columns.raw ? files_.size() : 0;
        if (columns.raw) {
            add("raw", "<f4", matrix);
        }
        codes_ = columns.codes ? files_.size() : 0;
        if (columns.codes) {
            add("codes", "|u1", matrix);
        }
        label_names_.number("");
    }

    [[nodiscard]] Result<void> add(const ColumnPart& part) {
        const std::unique_ptr<FILE, int (*)(FILE*)> in(
            std::fopen(part.file.c_str(), "re"), std::fclose);
        const std::uint32_t file = static_cast<std::uint32_t>(captures_.size());
        captures_.push_back(part.capture);
        block_.resize(kBlockRows * record_);
        for (std::uint64_t left = part.rows; left != 0;) {
            const std::size_t count = std::min<std::uint64_t>(left, kBlockRows);
            if (in == nullptr || std::fread(block_.data(), record_, count, in.get()) != count) {
                return fail(part.file, {}, "cannot be read", "run the same command again");
            }
            name(count, file, part.capture);
            write(count);
            left -= count;
            done_ += count;
        }
        for (const auto& column : files_) {
            if (!column->ok()) {
                return cannot_write(column->path());
            }
        }
        return {};
    }

    [[nodiscard]] nlohmann::ordered_json description() const {
        nlohmann::ordered_json json;
        json["format"] = "weir feature table 1";
        json["rows"] = rows_;
        json["files"] = captures_;
        json["labels"] = label_names_.names();
        json["groups"] = group_names_.names();
        for (const dataplane::FeatureInfo& feature : dataplane::catalog()) {
            json["features"].push_back(std::string(feature.name));
        }
        return json;
    }

  private:
    // Numbers of the label file become numbers of this table.
    void name(std::size_t count, std::uint32_t file, const std::string& capture) {
        for (std::size_t r = 0; r < count; ++r) {
            Head head;
            std::memcpy(&head, block_.data() + r * record_, sizeof(head));
            head.file = file;
            head.label = head.label == 0 ? 0 : label_names_.number(labels_->name(head.label));
            head.group = group_names_.number(head.group == 0 ? capture : labels_->name(head.group));
            std::memcpy(block_.data() + r * record_, &head, sizeof(head));
        }
    }
    void gather(
        std::size_t count,
        std::size_t offset,
        std::size_t bytes,
        NpyFile& file,
        std::uint64_t at) noexcept {
        const char* from = block_.data() + offset;
        char* to = column_.data();
        for (std::size_t r = 0; r < count; ++r, from += record_, to += bytes) {
            std::memcpy(to, from, bytes);
        }
        file.data(column_.data(), count * bytes, at);
    }
    void write(std::size_t count) {
        column_.resize(kBlockRows * sizeof(Head::src));
        for (std::size_t c = 0; c < std::size(kColumns); ++c) {
            const Column& column = kColumns[c];
            gather(count, column.offset, column.bytes, *files_[c], done_ * column.bytes);
        }
        std::size_t offset = sizeof(Head);
        const std::uint32_t features = dataplane::feature_count();
        for (std::uint32_t f = 0; columns_.raw && f < features; ++f, offset += 4) {
            gather(count, offset, 4, *files_[raw_], (f * rows_ + done_) * 4);
        }
        for (std::uint32_t f = 0; columns_.codes && f < features; ++f, ++offset) {
            gather(count, offset, 1, *files_[codes_], f * rows_ + done_);
        }
    }

    ExtractColumns columns_;
    const FlowLabels* labels_;
    std::uint64_t rows_;
    std::size_t record_;
    std::uint64_t done_ = 0;
    std::vector<std::unique_ptr<NpyFile>> files_;
    std::size_t raw_ = 0;
    std::size_t codes_ = 0;
    std::vector<std::string> captures_;
    Names label_names_;
    Names group_names_;
    std::vector<char> block_;
    std::vector<char> column_;
};

[[nodiscard]] Result<void> write_description(
    const std::string& path, const nlohmann::ordered_json& json) {
    const std::string text =
        json.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    FILE* file = std::fopen(path.c_str(), "we");
    const bool ok =
        file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
    if (file == nullptr || std::fclose(file) != 0 || !ok) {
        return cannot_write(path);
    }
    return {};
}

}  // namespace

std::size_t column_record_bytes(const ExtractColumns& columns) noexcept {
    const std::size_t features = dataplane::feature_count();
    return sizeof(Head) + (columns.raw ? features * 4 : 0) + (columns.codes ? features : 0);
}

void append_column_record(const ExtractColumns& columns, const ExtractRow& row, std::string& out) {
    constexpr std::uint64_t kNsPerUs = 1000;
    const dataplane::FlowKey key = row.flow.key();
    const bool hi = row.flow.initiator_is_hi();
    const Head head{
        row.flow.first_us() * kNsPerUs,
        row.flow.last_us() * kNsPerUs,
        row.flow.bytes(0) + row.flow.bytes(1),
        row.flow.packets[0] + row.flow.packets[1],
        row.decision,
        key.tunnel_id,
        0,
        row.label.label,
        row.label.group,
        hi ? key.addr_hi : key.addr_lo,
        hi ? key.addr_lo : key.addr_hi,
        ntohs(hi ? key.port_hi : key.port_lo),
        ntohs(hi ? key.port_lo : key.port_hi),
        static_cast<std::uint16_t>(key.vlan),
        key.proto,
        key.ip_version};
    const std::size_t features = dataplane::feature_count();
    out.append(reinterpret_cast<const char*>(&head), sizeof(head));
    if (columns.raw) {
        out.append(reinterpret_cast<const char*>(row.features.raw.data()), features * 4);
    }
    if (columns.codes) {
        out.append(reinterpret_cast<const char*>(row.features.codes.data()), features);
    }
}

Result<void> check_columns_target(const std::string& out) {
    std::error_code error;
    if (!fs::exists(fs::symlink_status(out, error))) {
        return {};
    }
    bool ours = fs::is_regular_file(fs::path(out) / "table.json", error);
    for (const auto& entry : fs::directory_iterator(out, error)) {
        ours =
            ours && (entry.path().extension() == ".npy" || entry.path().filename() == "table.json");
    }
    if (!ours) {
        return fail(
            out, {}, "exists and holds more than a feature table", "give --out another name");
    }
    return {};
}

Result<void> write_columns(
    const std::string& out,
    const ExtractColumns& columns,
    const FlowLabels* labels,
    const std::vector<ColumnPart>& parts) {
    if (auto ok = check_columns_target(out); !ok) {
        return ok;
    }
    std::uint64_t rows = 0;
    for (const ColumnPart& part : parts) {
        rows += part.rows;
    }
    const std::string folder = out + ".tmp." + std::to_string(getpid());
    std::error_code error;
    fs::remove_all(folder, error);
    if (!fs::create_directory(folder, error)) {
        errno = error.value();
        return cannot_write(folder);
    }
    Result<void> done;
    {
        Transposer transposer(folder, columns, labels, rows);
        for (const ColumnPart& part : parts) {
            done = done ? transposer.add(part) : done;
        }
        done = done ? write_description(folder + "/table.json", transposer.description()) : done;
    }
    if (done) {
        fs::remove_all(out, error);
        fs::rename(folder, out, error);
        if (error) {
            errno = error.value();
            done = cannot_write(out);
        }
    }
    if (!done) {
        fs::remove_all(folder, error);
    }
    return done;
}

}  // namespace weir::app
