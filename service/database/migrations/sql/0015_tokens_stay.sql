-- A token stays of the firm, the person and the rights that it was made for.
revoke update on access_tokens from zen_login;
grant update (user_id, last_used_at, revoked_at) on access_tokens to zen_login;
