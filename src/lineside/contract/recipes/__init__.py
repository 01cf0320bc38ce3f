"""Component recipes in the AWS Greengrass V2 format: read, checked, resolved. Pure, so that every side agrees."""
