// SPDX-License-Identifier: BSD-3-Clause
#include "control/server/access.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

namespace weir::control {

namespace {

constexpr std::size_t kNameBuffer = 16384;
constexpr int kMaxGroups = 256;

std::optional<gid_t> gid_of(const std::string& name) {
    std::vector<char> buffer(kNameBuffer);
    group entry{};
    group* found = nullptr;
    const bool ok = ::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) == 0;
    return ok && found ? std::optional(found->gr_gid) : std::nullopt;
}

std::string user_name(uid_t uid) {
    std::vector<char> buffer(kNameBuffer);
    passwd entry{};
    passwd* found = nullptr;
    const bool ok = ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0;
    return ok && found ? std::string(found->pw_name) : std::string();
}

/// The credentials hold the primary group only: the others are the user database's.
bool in_group(const Actor& actor, gid_t wanted) {
    if (actor.gid == wanted) {
        return true;
    }
    const std::string name = actor.uid ? user_name(*actor.uid) : std::string();
    if (name.empty()) {
        return false;
    }
    std::array<gid_t, kMaxGroups> groups{};
    int count = kMaxGroups;
    (void)::getgrouplist(name.c_str(), actor.gid.value_or(wanted + 1), groups.data(), &count);
    const gid_t* const end = groups.data() + std::clamp(count, 0, kMaxGroups);
    return std::find<const gid_t*>(groups.data(), end, wanted) != end;
}

std::optional<std::uint32_t> number(const std::string& text) {
    std::uint32_t value = 0;
    const auto* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, value);
    return parsed.ec == std::errc{} && parsed.ptr == end ? std::optional(value) : std::nullopt;
}

bool is_principal(const Actor& actor, const std::string& principal) {
    const auto colon = principal.find(':');
    const std::string kind = principal.substr(0, colon);
    const std::string name = principal.substr(colon + 1);
    if (kind == "san") {
        return std::find(actor.sans.begin(), actor.sans.end(), name) != actor.sans.end();
    }
    if (!actor.uid) {  // the other kinds are the kernel's to tell
        return false;
    }
    if (kind == "uid") {
        return number(name) == *actor.uid;
    }
    if (kind == "user") {
        return user_name(*actor.uid) == name;
    }
    const auto gid = kind == "gid" ? number(name) : gid_of(name);
    return gid && in_group(actor, *gid);
}

bool listed(const Actor& actor, const std::vector<std::string>& principals) {
    return std::any_of(principals.begin(), principals.end(), [&](const std::string& principal) {
        return is_principal(actor, principal);
    });
}

std::string bucket_key(const Actor& actor) {
    return actor.uid            ? "uid " + std::to_string(*actor.uid)
           : actor.sans.empty() ? actor.via
                                : "san " + actor.sans.front();
}

}  // namespace

std::string_view role_name(Role role) noexcept {
    constexpr std::array<std::string_view, 3> kNames{"viewer", "operator", "admin"};
    return kNames[static_cast<std::size_t>(role)];
}

void Access::set(const config::Control& config) {
    const std::lock_guard lock(mutex_);
    config_ = config;
}

Role Access::role_of(const Actor& actor) const {
    if (actor.via != "socket" && actor.via != "tls") {
        return Role::admin;
    }
    const std::lock_guard lock(mutex_);
    const bool local_admin = actor.uid && (*actor.uid == 0 || *actor.uid == ::geteuid());
    if (local_admin || listed(actor, config_.admins)) {
        return Role::admin;
    }
    return listed(actor, config_.operators) ? Role::operator_ : Role::viewer;
}

bool Access::admit(const Actor& actor, std::chrono::steady_clock::time_point now) {
    const std::lock_guard lock(mutex_);
    const double rate = config_.requests_per_s;
    if (buckets_.size() >= kMaxBuckets) {
        std::erase_if(buckets_, [&](const auto& entry) {
            return now - entry.second.at > std::chrono::seconds(2);  // full again
        });
    }
    const auto [at, is_new] = buckets_.try_emplace(bucket_key(actor), Bucket{2.0 * rate, now});
    Bucket& bucket = at->second;
    if (!is_new) {
        const double gained = rate * std::chrono::duration<double>(now - bucket.at).count();
        bucket.tokens = std::min(2.0 * rate, bucket.tokens + gained);
        bucket.at = now;
    }
    if (bucket.tokens < 1.0) {
        return false;
    }
    bucket.tokens -= 1.0;
    return true;
}

std::string describe_actor(const Actor& actor) {
    if (!actor.uid) {
        return actor.sans.empty() ? actor.via : actor.sans.front();
    }
    const std::string user = user_name(*actor.uid);
    std::string text = "uid " + std::to_string(*actor.uid);
    text += user.empty() ? "" : " (" + user + ")";
    return actor.pid ? text + ", pid " + std::to_string(*actor.pid) : text;
}

}  // namespace weir::control
