"""Bytes of code, constants and RAM of each module of a linked image, from the linker's map."""
import collections
import re

# What a section belongs to: (module, pattern over "section library(object)"), the first that fits. An inline function of
# protocol/ stands in whichever object the linker kept it, and is protocol's.
MODULES = [
    ('protocol (layouts, cursors)', r'^\.text\._ZNK?(St\w*)?8protocol'),
    ('kernel and journalled files', r'libonecard_firmware_kernel\.a\('),
    ('purse and transit', r'libonecard_firmware_card\.a\((offline|online|state|transaction)\.cpp'),
    ('grey lock', r'libonecard_firmware_card\.a\(grey_lock\.cpp'),
    ('SAM', r'libonecard_firmware_card\.a\(commands\.cpp'),
    ('operating system', r'libonecard_firmware_card\.a\('),
    ('crypto/purse', r'libonecard_crypto_purse\.a\('),
    ('crypto/core', r'libonecard_crypto_core\.a\('),
    ('mbedTLS (DES)', r'libonecard_card_mbedtls\.a\('),
    ('board', r'card_mps2\w*\.dir/'),
    ('compiler\'s library', r'lib(gcc|c_nano|stdc\+\+_nano|g_nano|m|nosys)\.a\('),
]
# " .text.name" may stand alone on its line when it is long; address, size and file follow.
ENTRY = re.compile(r'^ (\.\S+|COMMON)\s+0x([0-9a-f]{8,16})\s+0x([0-9a-f]+) (\S.*)$', re.M)


def module_of(section, file):
    return next((name for name, pattern in MODULES if re.search(pattern, f'{section} {file}')), file)


def sizes(map_text):
    """{module: {'text': bytes, 'ram': bytes}}; text counts initial values of data."""
    body = map_text[map_text.index('Linker script and memory map'):]
    body = re.sub(r'^( \.\S+)\n\s+', r'\1 ', body, flags=re.M)
    found = collections.defaultdict(lambda: {'text': 0, 'ram': 0})
    for section, address, size, file in ENTRY.findall(body):
        address, size = int(address, 16), int(size, 16)
        if size == 0 or section.startswith(('.debug', '.ARM', '.comment', '.stack')):
            continue
        module = found[module_of(section, file)]
        if section.startswith(('.bss', '.data')) or section == 'COMMON':
            module['ram'] += size
        if not (section.startswith('.bss') or section == 'COMMON') and (address < 0x20000000 or section.startswith('.data')):
            module['text'] += size
    return dict(found)
