#pragma once
/* mbedTLS 2.28 on the card: DES and AES, nothing else. */
#define MBEDTLS_DES_C
#define MBEDTLS_AES_C
#define MBEDTLS_AES_ROM_TABLES   /* tables in flash: 8.5 KB of RAM less */
#define MBEDTLS_AES_FEWER_TABLES /* 2 KB instead of 8 */
#include <mbedtls/check_config.h>
