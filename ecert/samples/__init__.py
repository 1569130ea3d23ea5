"""Examples 示例 of a district: agencies and matters to try things with."""
