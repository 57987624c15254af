provider "aws" {
  region                      = "nova"
  profile                     = "lab"
  shared_config_files         = ["${path.module}/aws/config"]
  shared_credentials_files    = ["${path.module}/aws/credentials"]
  custom_ca_bundle            = "${path.module}/cacert.pem"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  skip_requesting_account_id  = true
  s3_use_path_style           = true

  endpoints {
    ec2 = "https://cloud.example:8773"
    sts = "https://cloud.example:8773"
    s3  = "https://cloud.example:3333"
  }
}
