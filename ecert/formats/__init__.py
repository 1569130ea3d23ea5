"""Everything that is signed or logged 格式, as pure functions: nothing here knows a store."""
