#pragma once
/* mbedTLS 2.28 on the card: DES, nothing else. */
#define MBEDTLS_DES_C
#include <mbedtls/check_config.h>
