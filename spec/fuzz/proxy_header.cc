#include "api/proxy_header.h"

#include <string>
#include <string_view>
#include <variant>

#include "spec/fuzz/property.h"

// Properties: the result does not depend on where the bytes are cut. More bytes are needed until the last one
// has come, and bytes after the header change nothing. A refused header stays refused. A header keeps within
// its limits. An address that was read is a valid address when it is written again.
//
// The input is the bytes that a proxy sends.
namespace rocket::fuzz {
namespace {

using api::ProxyHeader;

bool needs_more(const ProxyHeader::Result& result) {
  return std::holds_alternative<ProxyHeader::NeedsMore>(result);
}

bool same(const ProxyHeader& a, const ProxyHeader& b) {
  return a.size == b.size && a.client.has_value() == b.client.has_value() &&
         (!a.client || a.client->text() == b.client->text());
}

void read_header(const std::string& input) {
  ProxyHeader::Result before = ProxyHeader::NeedsMore{};
  for (std::size_t size = 0; size <= input.size(); ++size) {
    const auto result = ProxyHeader::read(std::string_view(input).substr(0, size));
    const auto* header = std::get_if<ProxyHeader>(&result);
    if (needs_more(before)) {
      must(header == nullptr || header->size == size, "a header is known with its last byte");
    } else {
      must(result.index() == before.index(), "what comes later changes nothing");
      must(header == nullptr || same(*header, std::get<ProxyHeader>(before)), "a header stays what it is");
    }
    must(!needs_more(result) || size < ProxyHeader::kMaxBytes, "no more is asked for than the limit");
    before = result;
  }
  const auto* header = std::get_if<ProxyHeader>(&before);
  if (header == nullptr) return;
  const bool is_text = input.starts_with("PROXY ");
  must(header->size >= (is_text ? 15U : 16U) && header->size <= (is_text ? 107U : ProxyHeader::kMaxBytes),
       "a header keeps within its limits");
  if (!header->client) return;
  const auto again = api::IpAddress::parse(header->client->text());
  must(again && again->shares_prefix(*header->client, 128), "an address is written as what it is");
}

}  // namespace
}  // namespace rocket::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  rocket::fuzz::read_header(rocket::fuzz::text_of(data, size));
  return 0;
}
