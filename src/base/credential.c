/*
 * credential.c: the types of credentials, one table; the text in which a credential's members are sealed.
 *
 * The text is a list of fields: the number of the field in its type's table, the length of its value, the value; numbers are of
 * four bytes, the most significant first. It can be taken apart without a copy of anything, which a parser of JSON would make and
 * leave behind. New fields are added at the end of a type's list: the numbers are what is stored.
 */
#include "postgres.h"

#include "base/credential.h"
#include "base/secret.h"
#include "lib/stringinfo.h"
#include "port/pg_bswap.h"

static const WfCredentialField basic_fields[] = {
	{"username", "username", "username", false},
	{"password", "password", "password", true},
	{NULL},
};

static const WfCredentialField bearer_fields[] = {
	{"token", "token", NULL, true},
	{NULL},
};

static const WfCredentialField api_key_fields[] = {
	{"name", "name", "name", false},
	{"value", "value", "value", true},
	{"in", "in", NULL, false},
	{NULL},
};

static const WfCredentialField oauth2_fields[] = {
	{"tokenUrl", "tokenUrl", NULL, false},
	{"clientId", "clientId", NULL, false},
	{"clientSecret", "clientSecret", NULL, true},
	{"scope", "scope", NULL, false},
	{"grant", "grant", NULL, false},
	{"refreshToken", "refreshToken", NULL, true},
	{NULL},
};

static const WfCredentialField smtp_fields[] = {
	{"host", "host", NULL, false},
	{"port", "port", NULL, false},
	{"username", "username", NULL, false},
	{"password", "password", NULL, true},
	{"tls", "tls", NULL, false},
	{NULL},
};

static const WfCredentialField aws_fields[] = {
	{"accessKeyId", "accessKey", NULL, false},
	{"secretAccessKey", "secretKey", NULL, true},
	{"sessionToken", "sessionToken", NULL, true},
	{"region", "region", NULL, false},
	{"service", "service", NULL, false},
	{NULL},
};

static const WfCredentialField jwt_fields[] = {
	{"algorithm", "algorithm", "algorithm", false},
	{"key", "key", "key", true},
	{"keyId", "keyId", NULL, false},
	{"issuer", "issuer", "issuer", false},
	{"subject", "subject", NULL, false},
	{"audience", "audience", "audience", false},
	{"claims", "claims", NULL, false},
	{"lifetime", "lifetime", NULL, false},
	{NULL},
};

/* A text that becomes a line of a header, or a part of one, has no control character but tabs. */
#define LINE "{\"type\": \"string\", \"minLength\": 1, \"maxLength\": 65536, \"pattern\": \"^[^\\\\u0000-\\\\u0008\\\\u000a-\\\\u001f\\\\u007f]*$\"}"
#define MAYBE_LINE "{\"type\": [\"string\", \"null\"], \"maxLength\": 65536, \"pattern\": \"^[^\\\\u0000-\\\\u0008\\\\u000a-\\\\u001f\\\\u007f]*$\"}"
#define LONG_TEXT "{\"type\": \"string\", \"minLength\": 1, \"maxLength\": 65536}"
#define OBJECT(properties, more) "{\"type\": \"object\", \"properties\": {" properties "}, \"additionalProperties\": false" more "}"

static const WfCredentialType types[] = {
	{
		"apiKey", WF_CREDENTIAL_IN_REQUEST | WF_CREDENTIAL_IN_WEBHOOK, "apiKey", "header", api_key_fields,
		OBJECT("\"name\": " LINE ", \"value\": " LINE ", \"in\": {\"enum\": [\"header\", \"query\", null]}",
			   ", \"required\": [\"name\", \"value\"]")
	},
	{
		"aws", WF_CREDENTIAL_IN_REQUEST, "aws", NULL, aws_fields,
		OBJECT("\"accessKeyId\": " LINE ", \"secretAccessKey\": " LINE ", \"sessionToken\": " MAYBE_LINE ", \"region\": " LINE
			   ", \"service\": " MAYBE_LINE, ", \"required\": [\"accessKeyId\", \"secretAccessKey\", \"region\"]")
	},
	{
		"basic", WF_CREDENTIAL_IN_REQUEST | WF_CREDENTIAL_IN_WEBHOOK, "basic", "basic", basic_fields,
		OBJECT("\"username\": {\"type\": \"string\", \"minLength\": 1, \"maxLength\": 65536, \"pattern\": \"^[^:\\\\u0000-\\\\u001f\\\\u007f]*$\"}"
			   ", \"password\": {\"type\": \"string\", \"maxLength\": 65536, \"pattern\": \"^[^\\\\u0000-\\\\u001f\\\\u007f]*$\"}",
			   ", \"required\": [\"username\", \"password\"]")
	},
	{
		"bearer", WF_CREDENTIAL_IN_REQUEST, "bearer", NULL, bearer_fields,
		OBJECT("\"token\": " LINE, ", \"required\": [\"token\"]")
	},
	{
		"jwt", WF_CREDENTIAL_IN_REQUEST | WF_CREDENTIAL_IN_WEBHOOK, "jwt", "jwt", jwt_fields,
		OBJECT("\"algorithm\": {\"enum\": [\"HS256\", \"RS256\", \"ES256\"]}, \"key\": " LONG_TEXT ", \"keyId\": " MAYBE_LINE
			   ", \"issuer\": " MAYBE_LINE ", \"subject\": " MAYBE_LINE ", \"audience\": " MAYBE_LINE
			   ", \"claims\": {\"type\": [\"object\", \"null\"]}, \"lifetime\": {\"type\": [\"integer\", \"null\"], \"minimum\": 1, \"maximum\": 86400}",
			   ", \"required\": [\"algorithm\", \"key\"]")
	},
	{
		"oauth2", WF_CREDENTIAL_IN_REQUEST, "oauth2", NULL, oauth2_fields,
		OBJECT("\"tokenUrl\": {\"type\": \"string\", \"pattern\": \"^[Hh][Tt][Tt][Pp][Ss]?://[^\\\\s@]+$\", \"maxLength\": 8192}, \"clientId\": " LINE
			   ", \"clientSecret\": " MAYBE_LINE ", \"scope\": " MAYBE_LINE
			   ", \"grant\": {\"enum\": [\"client_credentials\", \"refresh_token\", \"clientCredentials\", \"refreshToken\", null]}, \"refreshToken\": " MAYBE_LINE,
			   ", \"required\": [\"tokenUrl\", \"clientId\"]"
			   ", \"if\": {\"properties\": {\"grant\": {\"enum\": [\"refresh_token\", \"refreshToken\"]}}, \"required\": [\"grant\"]}"
			   ", \"then\": {\"required\": [\"refreshToken\"], \"properties\": {\"refreshToken\": {\"type\": \"string\", \"minLength\": 1}}}")
	},
	{
		"smtp", WF_CREDENTIAL_IN_MAIL, "smtp", NULL, smtp_fields,
		OBJECT("\"host\": {\"type\": [\"string\", \"null\"], \"minLength\": 1, \"maxLength\": 253}"
			   ", \"port\": {\"type\": [\"integer\", \"null\"], \"minimum\": 1, \"maximum\": 65535}, \"username\": " MAYBE_LINE
			   ", \"password\": " MAYBE_LINE ", \"tls\": {\"enum\": [\"auto\", \"required\", \"implicit\", \"never\", null]}"
			   ", \"url\": {\"type\": [\"string\", \"null\"], \"minLength\": 1, \"maxLength\": 4096}", "")
	},
};

const WfCredentialType *
wf_credential_type(const char *name)
{
	for (int i = 0; i < lengthof(types); i++)
		if (strcmp(types[i].name, name) == 0)
			return &types[i];
	return NULL;
}

char *
wf_credential_types(int uses)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < lengthof(types); i++)
		if ((types[i].uses & uses) != 0)
			appendStringInfo(&names, "%s\"%s\"", names.len > 0 ? ", " : "", types[i].name);
	return names.data;
}

const char *
wf_credential_use_name(WfCredentialUse use)
{
	return use == WF_CREDENTIAL_IN_MAIL ? "a mail" : use == WF_CREDENTIAL_IN_WEBHOOK ? "a webhook" : "a request";
}

const WfCredentialField *
wf_credential_field(const WfCredentialType *type, const char *key, int key_len)
{
	for (const WfCredentialField *field = type->fields; field->key != NULL; field++)
		if (strlen(field->key) == key_len && memcmp(field->key, key, key_len) == 0)
			return field;
	return NULL;
}

/* -- the sealed text -- */

static char *
put_number(char *out, int number)
{
	uint32		bytes = pg_hton32((uint32) number);

	memcpy(out, &bytes, sizeof(bytes));
	return out + sizeof(bytes);
}

static int
get_number(const char *at)
{
	uint32		bytes;

	memcpy(&bytes, at, sizeof(bytes));
	return (int) pg_ntoh32(bytes);
}

static char *
put_field(char *out, const WfCredentialType *type, const WfCredentialField *field, const char *value, int len)
{
	out = put_number(out, field - type->fields);
	out = put_number(out, len);
	memcpy(out, value, len);
	return out + len;
}

char *
wf_credential_pack(const WfCredentialType *type, const JsonbValue *value, int *len)
{
	JsonbValue	member;
	char	   *packed;
	char	   *at;

	*len = 0;
	for (const WfCredentialField *field = type->fields; field->key != NULL; field++)
		if (wf_json_field(value, field->key, &member) && member.type != jbvNull)
			*len += 8 + (member.type == jbvString ? member.val.string.len : (int) strlen(wf_json_text(&member)));
	packed = at = wf_secret_alloc(*len + 1);
	for (const WfCredentialField *field = type->fields; field->key != NULL; field++)
	{
		const char *text;

		if (!wf_json_field(value, field->key, &member) || member.type == jbvNull)
			continue;
		text = member.type == jbvString ? member.val.string.val : wf_json_text(&member);
		at = put_field(at, type, field, text, member.type == jbvString ? member.val.string.len : (int) strlen(text));
	}
	return packed;
}

bool
wf_credential_unpack(const WfCredentialType *type, const char **at, const char *end, WfPacked *out)
{
	int			number;
	int			n_fields = 0;

	if (end - *at < 8)
		return false;
	while (type->fields[n_fields].key != NULL)
		n_fields++;
	number = get_number(*at);
	out->len = get_number(*at + 4);
	if (number < 0 || number >= n_fields || out->len < 0 || out->len > end - *at - 8)
		return false;
	out->field = &type->fields[number];
	out->value = *at + 8;
	*at = out->value + out->len;
	return true;
}

char *
wf_credential_repack(const WfCredentialType *type, const char *packed, int packed_len, const char *key, const char *value,
					 int value_len, int *len)
{
	char	   *out = wf_secret_alloc(packed_len + value_len + 1);
	char	   *to = out;
	const char *at = packed;
	WfPacked	one;

	while (wf_credential_unpack(type, &at, packed + packed_len, &one))
	{
		bool		is_other = strcmp(one.field->key, key) != 0;

		to = put_field(to, type, one.field, is_other ? one.value : value, is_other ? one.len : value_len);
	}
	*len = to - out;
	return out;
}
