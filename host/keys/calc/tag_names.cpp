#include <algorithm>
#include <array>

#include "host/keys/calc/tlv_tree.hpp"

namespace host::keys::calc {
namespace {

struct TagName {
    std::uint32_t tag;
    std::string_view name;
};

// EMV 4.4 Book 3, annex A, and ISO/IEC 7816-6:2016, unless the line says otherwise. Sorted by tag.
constexpr std::array names{
    TagName{0x42, "Issuer Identification Number (IIN)"},
    TagName{0x4F, "Application Dedicated File (ADF) Name"},
    TagName{0x50, "Application Label"},
    TagName{0x56, "Track 1 Data"},  // EMV contactless C-2
    TagName{0x57, "Track 2 Equivalent Data"},
    TagName{0x5A, "Application Primary Account Number (PAN)"},
    TagName{0x61, "Application Template"},
    TagName{0x62, "File Control Parameters (FCP) Template"},  // ISO/IEC 7816-4:2005, 5.3.3
    TagName{0x6F, "File Control Information (FCI) Template"},
    TagName{0x70, "READ RECORD Response Message Template"},
    TagName{0x71, "Issuer Script Template 1"},
    TagName{0x72, "Issuer Script Template 2"},
    TagName{0x73, "Directory Discretionary Template"},
    TagName{0x77, "Response Message Template Format 2"},
    TagName{0x80, "Response Message Template Format 1"},
    TagName{0x81, "Amount, Authorised (Binary)"},
    TagName{0x82, "Application Interchange Profile (AIP)"},
    TagName{0x83, "Command Template"},
    TagName{0x84, "Dedicated File (DF) Name"},
    TagName{0x85, "Cryptogram, even instruction"},  // ISO/IEC 7816-4:2005, 6.3
    TagName{0x86, "Issuer Script Command"},
    TagName{0x87, "Application Priority Indicator"},
    TagName{0x88, "Short File Identifier (SFI)"},
    TagName{0x89, "Authorisation Code"},
    TagName{0x8A, "Authorisation Response Code"},
    TagName{0x8C, "Card Risk Management DOL 1 (CDOL1)"},
    TagName{0x8D, "Card Risk Management DOL 2 (CDOL2)"},
    TagName{0x8E, "Cardholder Verification Method (CVM) List"},
    TagName{0x8F, "Certification Authority Public Key Index"},
    TagName{0x90, "Issuer Public Key Certificate"},
    TagName{0x91, "Issuer Authentication Data"},
    TagName{0x92, "Issuer Public Key Remainder"},
    TagName{0x93, "Signed Static Application Data"},
    TagName{0x94, "Application File Locator (AFL)"},
    TagName{0x95, "Terminal Verification Results (TVR)"},
    TagName{0x97, "Transaction Certificate DOL (TDOL)"},
    TagName{0x98, "Transaction Certificate Hash Value"},
    TagName{0x99, "Transaction PIN Data"},
    TagName{0x9A, "Transaction Date"},
    TagName{0x9B, "Transaction Status Information (TSI)"},
    TagName{0x9C, "Transaction Type"},
    TagName{0x9D, "Directory Definition File (DDF) Name"},
    TagName{0xA5, "FCI Proprietary Template"},
    TagName{0x5F20, "Cardholder Name"},
    TagName{0x5F24, "Application Expiration Date"},
    TagName{0x5F25, "Application Effective Date"},
    TagName{0x5F28, "Issuer Country Code"},
    TagName{0x5F2A, "Transaction Currency Code"},
    TagName{0x5F2D, "Language Preference"},
    TagName{0x5F30, "Service Code"},
    TagName{0x5F34, "PAN Sequence Number"},
    TagName{0x5F36, "Transaction Currency Exponent"},
    TagName{0x5F50, "Issuer URL"},
    TagName{0x5F53, "International Bank Account Number (IBAN)"},
    TagName{0x5F54, "Bank Identifier Code (BIC)"},
    TagName{0x5F55, "Issuer Country Code (alpha2)"},
    TagName{0x5F56, "Issuer Country Code (alpha3)"},
    TagName{0x9F01, "Acquirer Identifier"},
    TagName{0x9F02, "Amount, Authorised (Numeric)"},
    TagName{0x9F03, "Amount, Other (Numeric)"},
    TagName{0x9F04, "Amount, Other (Binary)"},
    TagName{0x9F05, "Application Discretionary Data"},
    TagName{0x9F06, "Application Identifier (AID), terminal"},
    TagName{0x9F07, "Application Usage Control"},
    TagName{0x9F08, "Application Version Number, card"},
    TagName{0x9F09, "Application Version Number, terminal"},
    TagName{0x9F0B, "Cardholder Name Extended"},
    TagName{0x9F0C, "Issuer Discretionary Data of the purse (file 15)"},  // JT/T 978, PBOC ED/EP
    TagName{0x9F0D, "Issuer Action Code, Default"},
    TagName{0x9F0E, "Issuer Action Code, Denial"},
    TagName{0x9F0F, "Issuer Action Code, Online"},
    TagName{0x9F10, "Issuer Application Data"},
    TagName{0x9F11, "Issuer Code Table Index"},
    TagName{0x9F12, "Application Preferred Name"},
    TagName{0x9F13, "Last Online ATC Register"},
    TagName{0x9F14, "Lower Consecutive Offline Limit"},
    TagName{0x9F15, "Merchant Category Code"},
    TagName{0x9F16, "Merchant Identifier"},
    TagName{0x9F17, "PIN Try Counter"},
    TagName{0x9F18, "Issuer Script Identifier"},
    TagName{0x9F1A, "Terminal Country Code"},
    TagName{0x9F1B, "Terminal Floor Limit"},
    TagName{0x9F1C, "Terminal Identification"},
    TagName{0x9F1D, "Terminal Risk Management Data"},
    TagName{0x9F1E, "Interface Device (IFD) Serial Number"},
    TagName{0x9F1F, "Track 1 Discretionary Data"},
    TagName{0x9F20, "Track 2 Discretionary Data"},
    TagName{0x9F21, "Transaction Time"},
    TagName{0x9F22, "Certification Authority Public Key Index, terminal"},
    TagName{0x9F23, "Upper Consecutive Offline Limit"},
    TagName{0x9F26, "Application Cryptogram"},
    TagName{0x9F27, "Cryptogram Information Data"},
    TagName{0x9F2D, "ICC PIN Encipherment Public Key Certificate"},
    TagName{0x9F2E, "ICC PIN Encipherment Public Key Exponent"},
    TagName{0x9F2F, "ICC PIN Encipherment Public Key Remainder"},
    TagName{0x9F32, "Issuer Public Key Exponent"},
    TagName{0x9F33, "Terminal Capabilities"},
    TagName{0x9F34, "CVM Results"},
    TagName{0x9F35, "Terminal Type"},
    TagName{0x9F36, "Application Transaction Counter (ATC)"},
    TagName{0x9F37, "Unpredictable Number"},
    TagName{0x9F38, "Processing Options DOL (PDOL)"},
    TagName{0x9F39, "POS Entry Mode"},
    TagName{0x9F3A, "Amount, Reference Currency"},
    TagName{0x9F3B, "Application Reference Currency"},
    TagName{0x9F3C, "Transaction Reference Currency Code"},
    TagName{0x9F3D, "Transaction Reference Currency Exponent"},
    TagName{0x9F40, "Additional Terminal Capabilities"},
    TagName{0x9F41, "Transaction Sequence Counter"},
    TagName{0x9F42, "Application Currency Code"},
    TagName{0x9F43, "Application Reference Currency Exponent"},
    TagName{0x9F44, "Application Currency Exponent"},
    TagName{0x9F45, "Data Authentication Code"},
    TagName{0x9F46, "ICC Public Key Certificate"},
    TagName{0x9F47, "ICC Public Key Exponent"},
    TagName{0x9F48, "ICC Public Key Remainder"},
    TagName{0x9F49, "Dynamic Data Authentication DOL (DDOL)"},
    TagName{0x9F4A, "Static Data Authentication Tag List"},
    TagName{0x9F4B, "Signed Dynamic Application Data"},
    TagName{0x9F4C, "ICC Dynamic Number"},
    TagName{0x9F4D, "Log Entry"},
    TagName{0x9F4E, "Merchant Name and Location"},
    TagName{0x9F4F, "Log Format"},
    TagName{0x9F51, "Application Currency Code of offline spending"},  // PBOC 3.0 part 5
    TagName{0x9F5D, "Available Offline Spending Amount"},              // PBOC 3.0 part 12
    TagName{0x9F66, "Terminal Transaction Qualifiers (TTQ)"},          // EMV contactless C-3
    TagName{0x9F6C, "Card Transaction Qualifiers (CTQ)"},              // EMV contactless C-3
    TagName{0x9F6D, "Electronic Cash Reset Threshold"},                // PBOC 3.0 part 13
    TagName{0x9F74, "Electronic Cash Issuer Authorisation Code"},      // PBOC 3.0 part 13
    TagName{0x9F77, "Electronic Cash Balance Limit"},                  // PBOC 3.0 part 13
    TagName{0x9F78, "Electronic Cash Single Transaction Limit"},       // PBOC 3.0 part 13
    TagName{0x9F79, "Electronic Cash Balance"},                        // PBOC 3.0 part 13
    TagName{0x9F7A, "Electronic Cash Terminal Support Indicator"},     // PBOC 3.0 part 13
    TagName{0x9F7B, "Electronic Cash Terminal Transaction Limit"},     // PBOC 3.0 part 13
    TagName{0xBF0C, "FCI Issuer Discretionary Data"},
    TagName{0xDF31, "Issuer Script Results"},           // UnionPay field 55
    TagName{0xDF69, "SM Algorithm Support Indicator"},  // PBOC 3.0 part 17
};
static_assert(std::ranges::adjacent_find(names, std::ranges::greater_equal{}, &TagName::tag) ==
                  names.end(),
              "sorted and unique");

}  // namespace

std::string_view tag_name(std::uint32_t tag) {
    const auto found = std::ranges::lower_bound(names, tag, {}, &TagName::tag);
    return found != names.end() && found->tag == tag ? found->name : std::string_view{};
}

}  // namespace host::keys::calc
