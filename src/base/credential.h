/*
 * credential.h: the types of credentials: what their values may hold, which of it is secret, and what it becomes for who uses it.
 *
 * A credential is a secret with members. All of them, those that are shown included, are sealed together, in one text (packed
 * below): what rows show beside it decides nothing.
 */
#ifndef WF_BASE_CREDENTIAL_H
#define WF_BASE_CREDENTIAL_H

#include "postgres.h"
#include "base/json.h"

/* What a credential is good for. */
typedef enum WfCredentialUse
{
	WF_CREDENTIAL_IN_REQUEST = 0x01,	/* auth of a request over HTTP */
	WF_CREDENTIAL_IN_MAIL = 0x02,	/* auth of a mail: the relay */
	WF_CREDENTIAL_IN_WEBHOOK = 0x04,	/* auth of trigger.webhook */
} WfCredentialUse;

typedef struct WfCredentialField
{
	const char *key;			/* in the value that is set; NULL ends a list */
	const char *as;				/* the member of `auth` (of mail: of `relay`) that it becomes */
	const char *as_hook;		/* the same of trigger.webhook; NULL: of none */
	bool		is_secret;
} WfCredentialField;

typedef struct WfCredentialType
{
	const char *name;
	int			uses;			/* WfCredentialUse */
	const char *auth_type;		/* `type` of auth of a request */
	const char *hook_type;		/* of trigger.webhook; or NULL */
	const WfCredentialField *fields;
	const char *schema;			/* JSON Schema of the value */
} WfCredentialType;

/* NULL: there is none of this name. */
extern const WfCredentialType *wf_credential_type(const char *name);
/* `"basic", "bearer", ...`: those that are good for one of the uses, in CurrentMemoryContext. */
extern char *wf_credential_types(int uses);
/* `a request`, `a mail`, `a webhook` */
extern const char *wf_credential_use_name(WfCredentialUse use);
/* NULL: the type has no such field. */
extern const WfCredentialField *wf_credential_field(const WfCredentialType *type, const char *key, int key_len);

/* -- the sealed text -- */

/* The fields of a value that has the right shape, in memory of wf_secret_alloc; those that are null are left out. Strings are as
 * they are, all else is JSON. */
extern char *wf_credential_pack(const WfCredentialType *type, const JsonbValue *value, int *len);

typedef struct WfPacked
{
	const WfCredentialField *field;
	const char *value;			/* within the text; no NUL follows */
	int			len;
} WfPacked;

/* The next field from *at on, which is advanced; false: there is none, or what follows is none. */
extern bool wf_credential_unpack(const WfCredentialType *type, const char **at, const char *end, WfPacked *out);
/* The text with another value for a field, in memory of wf_secret_alloc. */
extern char *wf_credential_repack(const WfCredentialType *type, const char *packed, int packed_len, const char *key,
								  const char *value, int value_len, int *len);

#endif
