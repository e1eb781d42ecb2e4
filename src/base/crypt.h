/*
 * crypt.h: AES-256-GCM, HKDF-SHA256, SHA-256, HMAC-SHA256, and signatures by RSA and P-256. The only files that know OpenSSL
 * are crypt.c, crypt_key.c and net/.
 *
 * Nothing here throws, allocates in memory contexts, or leaves anything in OpenSSL's queue of errors.
 */
#ifndef WF_BASE_CRYPT_H
#define WF_BASE_CRYPT_H

#include "postgres.h"

#define WF_CRYPT_KEY_BYTES 32
#define WF_CRYPT_NONCE_BYTES 12
#define WF_CRYPT_TAG_BYTES 16
#define WF_CRYPT_HASH_BYTES 32

/* Encrypts `len` bytes into `sealed`, which has room for WF_CRYPT_TAG_BYTES more: the tag comes last. False when OpenSSL
 * can't (a provider without AES-GCM, no memory). A nonce is never used twice with a key. */
extern bool wf_crypt_seal(const uint8 *key, const uint8 *nonce, const uint8 *associated, int associated_len,
						  const uint8 *plain, int len, uint8 *sealed);
/* The reverse; `plain` has room for sealed_len - WF_CRYPT_TAG_BYTES. False, with `plain` wiped, when the tag is not that of
 * these bytes, associated data, nonce and key. */
extern bool wf_crypt_open(const uint8 *key, const uint8 *nonce, const uint8 *associated, int associated_len,
						  const uint8 *sealed, int sealed_len, uint8 *plain);

/* RFC 5869 with SHA-256. False when OpenSSL can't; `out` is wiped then. */
extern bool wf_crypt_hkdf(const uint8 *secret, int secret_len, const uint8 *salt, int salt_len, const uint8 *info,
						  int info_len, uint8 *out, int out_len);

/* False when OpenSSL can't; `out` is wiped then. */
extern bool wf_crypt_sha256(const void *data, size_t bytes, uint8 out[WF_CRYPT_HASH_BYTES]);

/* HMAC-SHA256 of `first` and `second`, one behind the other. The key has at least a byte. False when OpenSSL can't; `out` is
 * wiped then. */
extern bool wf_crypt_hmac_sha256(const void *key, size_t key_bytes, const void *first, size_t first_bytes,
								 const void *second, size_t second_bytes, uint8 out[WF_CRYPT_HASH_BYTES]);

/* -- public keys (crypt_key.c) -- */

#define WF_CRYPT_P256_BYTES 32
#define WF_CRYPT_SPKI_BYTES 1100	/* a SubjectPublicKeyInfo in DER is no longer */

typedef enum WfCryptKeyKind
{
	WF_CRYPT_KEY_NONE,
	WF_CRYPT_KEY_RSA,			/* 2048 to 8192 bits */
	WF_CRYPT_KEY_P256			/* with the curve's name, the point not compressed */
} WfCryptKeyKind;

/* What a SubjectPublicKeyInfo in DER is of; NONE: malformed, of another kind or size, or a point beside the curve. */
extern WfCryptKeyKind wf_crypt_key_kind(const uint8 *spki, size_t bytes);
/* One made of numbers, the most significant byte first; returns its bytes. 0: n is too long, or e is even, 1, or too long. */
extern size_t wf_crypt_rsa_spki(const uint8 *n, size_t n_bytes, const uint8 *e, size_t e_bytes, uint8 out[WF_CRYPT_SPKI_BYTES]);
extern size_t wf_crypt_p256_spki(const uint8 x[WF_CRYPT_P256_BYTES], const uint8 y[WF_CRYPT_P256_BYTES],
								 uint8 out[WF_CRYPT_SPKI_BYTES]);
/* Is the signature one of the data by a key of this kind? RSASSA-PKCS1-v1_5 or ECDSA (r and s, 64 bytes), with SHA-256. */
extern bool wf_crypt_verify(WfCryptKeyKind kind, const uint8 *spki, size_t spki_bytes, const void *data, size_t bytes,
							const uint8 *signature, size_t signature_bytes);

/* Signs with a private key in PEM, of this kind and without a passphrase, as wf_crypt_verify reads it; the bytes of the signature.
 * 0: it is no such key, or there is no room. */
extern size_t wf_crypt_sign(WfCryptKeyKind kind, const char *pem, size_t pem_bytes, const void *data, size_t bytes, uint8 *out,
							size_t room);

/* Compares in a time that does not depend on the bytes. */
extern bool wf_crypt_equal(const uint8 *a, const uint8 *b, int len);

#endif
